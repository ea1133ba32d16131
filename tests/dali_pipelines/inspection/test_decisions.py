"""The words of a preview: what was decided is said, and nothing of the patient is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dali_pipelines.inspection.content import Content
from dali_pipelines.inspection.decisions import describe
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox, Grayscale, ImageRecord, Lut, Window
from dali_pipelines.roi_settings import ContourSettings, RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Flag
from dali_pipelines.voi_settings import Voi

RECIPE = Recipe("small", resize=ResizeSettings(size=(100, 60)))
SEEN = Content((), "right", "right", 0.0, 0.0)
BOX = Roi(10, 210, 40, 100, mirror=True)


@pytest.fixture
def record(record_of: Callable) -> ImageRecord:
    return record_of(height=400, width=100, rows=400, columns=100, laterality="R", view="MLO")


def words(
    record: ImageRecord,
    recipe: Recipe = RECIPE,
    box: Roi = BOX,
    content: Content = SEEN,
    decoder: str = "imagecodecs j2k",
) -> dict[str, str]:
    return {d.topic: d.words for d in describe(record, recipe, box, content, decoder)}


def test_a_plain_image_in_full(record: ImageRecord) -> None:
    gray = replace(record.grayscale, windows=(Window(2048, 4096), Window(1000, 500)))
    record = replace(record, tags=replace(record.tags, photometric="MONOCHROME2"), grayscale=gray)
    assert words(record) == {
        "codestream": "JPEG 2000, lossless; decoded by imagecodecs",
        "size, bits": "400 x 100 px of 12 bits, unsigned; "
        "header: 400 x 100, 12 of 16 bits stored, high bit 11, unsigned",
        "modality": "stored values as they are: no rescale",
        "window": "window 1 of 2: center 2048, width 4096, LINEAR",
        "polarity": "MONOCHROME2: not inverted, background is to be black",
        "padding": "no value counts as padding",
        "breast": "right breast (the header states it), view MLO",
        "chest wall": "right by the pixels, right by the usual hanging of that breast: they agree; "
        "the pixels are followed",
        "crop": "rows 10 to 209, columns 40 to 99: 30% of the image",
        "mirror": "yes: more of the breast lies in the right half",
        "resize": "200 x 60 px to 100 x 30 (x 0.5 down, 0.5 across); black added: 30 px right",
        "numbers": "black -1, white 1, 1 channel, float32",
        "recipe": f"small, hash {RECIPE.hash}",
        "flags": "none",
    }


def test_a_gray_scale_with_everything(record: ImageRecord) -> None:
    gray = Grayscale(
        12, 12, slope=2.0, intercept=-5.5, invert=True, padding=(0, 30), voi_luts=(_lut(4096),)
    )
    said = words(replace(record, grayscale=gray))
    assert said["modality"] == "rescaled: slope 2, intercept -5.5"
    assert said["window"] == "VOI LUT 1 of 1: 4096 entries of 12 bits"
    assert "inverted after the window" in said["polarity"]
    assert said["padding"] == "stored values 0 to 30: shown black"
    said = words(replace(record, grayscale=replace(gray, modality_lut=_lut(256), padding=(9, 9))))
    assert said["modality"] == "a modality LUT of 256 entries"
    assert said["padding"] == "stored value 9: shown black"


def _lut(entries: int) -> Lut:
    return Lut(0, 12, bytes(2 * entries))


@pytest.mark.parametrize(
    ("stream", "decoder", "expected"),
    [
        ({"kind": "jpeg_lossless", "predictor": 7}, "imagecodecs jpeg_lossless",
         "JPEG lossless, predictor 7; decoded by imagecodecs"),
        ({"kind": "raw"}, "numpy raw", "not compressed; decoded by numpy"),
        ({"kind": "j2k", "lossy": True, "boxed": True}, "pillow j2k 1/4",
         "JPEG 2000, lossy, in a JP2 box; decoded by pillow 1/4"),
    ],
)  # fmt: skip
def test_codestreams(stream: dict, decoder: str, expected: str, record_of: Callable) -> None:
    assert words(record_of(**stream), decoder=decoder)["codestream"] == expected


@pytest.mark.parametrize(
    ("count", "frame", "expected"),
    [(1, None, None), (40, 2, "3 of 40"), (40, None, "the maximum over all 40")],
)
def test_frames(count: int, frame: int | None, expected: str | None, record_of: Callable) -> None:
    assert words(record_of(number_of_frames=count, frame=frame)).get("frames") == expected


def test_what_the_recipe_asks_for(record: ImageRecord) -> None:
    plain = Recipe(
        "plain",
        stretch=StretchSettings("percentiles", 1, 99.5),
        roi=RoiSettings(method="none", mirror="none"),
        resize=ResizeSettings((100, 60), "stretch", channels=3, mean=0, std=1, dtype="bfloat16"),
    )
    said = words(record, plain, Roi(0, 400, 0, 100))
    assert said["stretch"] == "display values between the percentiles 1 and 99.5 spread out"
    assert said["crop"] == "all of the image, as the recipe asks"
    assert said["mirror"] == "no, as the recipe asks"
    assert said["resize"] == "400 x 100 px to 100 x 60 (x 0.25 down, 0.6 across); nothing added"
    assert said["numbers"] == "black 0, white 1, 3 equal channels, bfloat16"


def test_a_recipe_that_masks_stored_values(record: ImageRecord) -> None:
    roi = RoiSettings("contour", "min-max", mirror="none", contour=ContourSettings(mask=True))
    masking = replace(RECIPE, voi=Voi("stored"), roi=roi)
    record = replace(record, grayscale=replace(record.grayscale, invert=True))
    said = words(record, masking)
    assert said["crop"].endswith("30% of the image, black outside of the contour")
    assert said["looked at"] == "stored values from the least to the greatest, for the box"
    assert ": inverted, background" in said["polarity"]
    by_hand = replace(record, box=GivenBox(10, 210, 40, 100))
    assert words(by_hand, masking)["crop"].endswith("as the table of boxes by hand asks")
    turned = replace(masking, roi=RoiSettings("none", "stored", mirror_by="columns"))
    assert words(record, turned)["looked at"] == "stored values, for which way it is turned"


def test_gray_values_that_a_published_recipe_takes(record: ImageRecord) -> None:
    gray = Grayscale(12, 12, slope=2.0, function="SIGMOID", invert=True, padding=(0, 30))
    recipe = Recipe(
        "published",
        decode=DecodeSettings(cut=5),
        voi=Voi("lut", fallback="min-max", polarity="as-stored"),
        stretch=StretchSettings(curve="header", bits=8),
        roi=RoiSettings("otsu", "min-max", mirror_by="columns", mirror_share=0.25),
    )
    tags = replace(record.tags, photometric="MONOCHROME1")
    said = words(replace(record, grayscale=gray, tags=tags), recipe)
    assert said["modality"] == "not looked at: stored values are taken"
    assert said["polarity"] == (
        "MONOCHROME1: not inverted, as the recipe asks; background is bright"
    )
    assert said["padding"] == "stored values 0 to 30: shown like any other"
    assert said["stretch"] == (
        "display values between the least and greatest spread out along a sigmoid, 256 levels"
    )
    assert said["edge"] == "5 px are cut off each side before anything is measured"
    assert said["looked at"] == (
        "stored values from the least to the greatest, for the box and which way it is turned"
    )
    assert said["mirror"] == "yes: the sum of the outer 25% of the columns is greater at the right"
    lut = replace(record, grayscale=replace(gray, voi_luts=(_lut(4096),)))
    said = words(lut, replace(recipe, voi=replace(recipe.voi, luts_of="GE")))
    assert said["window"] == (
        "stored values from the least to the greatest: the header has no usable VOI LUT; "
        "the LUTs of this maker do not count, as the recipe asks"
    )
    windowed = replace(record, grayscale=replace(gray, windows=(Window(9, 9),)))
    as_shown = replace(recipe, voi=Voi(padding="ignored"), stretch=StretchSettings(bits=8))
    said = words(windowed, as_shown, replace(BOX, mirror=False))
    assert said["stretch"] == "rounded down to 256 levels"
    assert said["padding"] == "stored values 0 to 30: shown like any other"
    assert said["mirror"].startswith("no: the sum of the outer 25% of the columns is not greater")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"fit": "pad-first", "align": "center", "filter": "linear"},
            "200 x 60 px to 100 x 60 (x 0.5 down, 0.5 across, linear); "
            "black added first: 30 px left, 30 px right",
        ),
        ({"fit": "width"}, "200 x 60 px to 200 x 60 (x 1 down, 1 across); "
         "cut off: 50 px above, 50 px below"),
        ({"fit": "keep", "size": (90, 65), "align": "center", "filter": "triangle"},
         "200 x 60 px to 200 x 60 (x 1 down, 1 across); black added: 2 px left, 3 px right; "
         "cut off: 55 px above, 55 px below"),
    ],
)  # fmt: skip
def test_what_is_added_and_cut_off(record: ImageRecord, changes: dict, expected: str) -> None:
    recipe = Recipe("other", resize=ResizeSettings(**{"size": (100, 60), **changes}))
    assert words(record, recipe)["resize"] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bits": 16, "per_image": "min-max", "per_image_bits": 8},
         "rounded to 65,536 levels, its least value -1, its greatest 1 in 256 levels, 1 channel, "
         "float32"),
        ({"bits": 8, "channels": 3}, "rounded to 256 levels, black -1, white 1, 3 equal channels, "
         "float32"),
        ({"per_image": "standardize", "mean": 0.0, "std": 1.0},
         "its mean 0, one deviation above 1, 1 channel, float32"),
        ({"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channels": 3},
         "black -2.118 / -2.036 / -1.804, white 2.249 / 2.429 / 2.64, 3 channels, float32"),
    ],
)  # fmt: skip
def test_numbers_of_each_form(record: ImageRecord, changes: dict, expected: str) -> None:
    recipe = Recipe("other", resize=ResizeSettings(**changes))
    assert words(record, recipe)["numbers"] == expected


def test_no_breast_and_no_side(record: ImageRecord) -> None:
    nothing = Content((Flag.NO_BREAST,), "", "", 0.0, 0.0)
    tags = replace(record.tags, laterality="", view="")
    whole = Roi(0, 400, 0, 100, found=False)
    said = words(replace(record, tags=tags), box=whole, content=nothing)
    assert said["breast"] == "side unknown, view unknown"
    assert said["chest wall"] == "the pixels leave it open; the header says nothing"
    assert said["crop"] == "no breast found, so all of the image is kept"
    assert said["mirror"] == "no, as there is no breast to turn"
    assert said["flag"].startswith("no_breast: ")


def test_a_mirror_by_doubtful_pixels_says_so(record: ImageRecord) -> None:
    said = words(record, content=replace(SEEN, chest_side=""))
    assert said["chest wall"].startswith("the pixels leave it open; ")
    assert said["mirror"] == (
        "yes: more of the breast lies in the right half, which decides though it does not tell the "
        "chest wall for sure"
    )


def test_doubt_about_the_side_is_said(record: ImageRecord) -> None:
    flags = (Flag.LATERALITY_CONFLICT.value,)
    tags = replace(record.tags, chest_side="left", view_modifiers=("axillary_tail", "spot"))
    conflict = Content((Flag.SIDE_CONFLICT,), "right", "left", 0.0, 0.0)
    said = words(replace(record, tags=tags, flags=flags), content=conflict)
    assert "tags that disagree" in said["breast"]
    assert said["breast"].endswith("view MLO, axillary tail, spot")
    assert (
        "left by Patient Orientation: they disagree; the pixels are followed" in said["chest wall"]
    )
    inferred = replace(record, flags=(Flag.LATERALITY_INFERRED.value,))
    assert "inferred from Patient Orientation" in words(inferred)["breast"]


def test_nothing_of_the_patient_is_said(record_of: Callable) -> None:
    canary = "canary"
    texts = ("sop_instance_uid", "study_instance_uid", "series_instance_uid", "patient_id")
    texts += ("exam_id", "manufacturer", "model_name", "path", "member")
    record = record_of(**dict.fromkeys(texts, canary), age_years=77)
    said = " ".join(words(record).values())
    assert canary not in said
    assert "77" not in said
