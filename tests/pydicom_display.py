"""Display values by pydicom's functions, from a data set that says what a Grayscale says."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from dali_pipelines.records import Grayscale, Lut

TOP = 65535


def stored_values(g: Grayscale) -> np.ndarray:
    """The stored value of each bit pattern, (2**bits,) int64."""
    patterns = np.arange(2**g.bits)
    negative = g.signed & (patterns >= 2 ** (g.bits - 1))
    return np.where(negative, patterns - 2**g.bits, patterns)


def dataset_of(g: Grayscale) -> Dataset:
    """A pydicom data set that says the same as `g`, but for padding and polarity."""
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation = g.bits_stored, int(g.signed)
    ds.PhotometricInterpretation = "MONOCHROME2"
    if g.modality_lut is not None:
        ds.ModalityLUTSequence = [lut_item(g.modality_lut)]
    elif (g.slope, g.intercept) != (1, 0):
        ds.RescaleSlope, ds.RescaleIntercept = g.slope, g.intercept
    if g.windows:
        ds.WindowCenter = [w.center for w in g.windows]
        ds.WindowWidth = [w.width for w in g.windows]
        ds.VOILUTFunction = g.function
    if g.voi_luts:
        ds.VOILUTSequence = [lut_item(lut) for lut in g.voi_luts]
    return ds


def lut_item(lut: Lut) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [len(lut.values) % 65536, lut.first, lut.bits])
    item.add_new("LUTData", "US", lut.values.tolist())
    return item


def pydicom_values(g: Grayscale, index: int = 0, *, lut: bool = True) -> np.ndarray:
    """Display values (2**bits,) 0 ... 65535 of the whole chain; inverted over the output range."""
    shown = pydicom_display(dataset_of(g), stored_values(g), index, lut=lut)
    return TOP - shown if g.invert else shown


def pydicom_display(
    ds: Dataset, stored: np.ndarray, index: int = 0, *, lut: bool = True
) -> np.ndarray:
    """Display values 0 ... 65535, unrounded, from pydicom's two functions and its output range."""
    before = apply_modality_lut(stored, ds)
    if lut and "VOILUTSequence" in ds:
        before = before.astype(np.int64)  # a rescale of (1, 0) made it float64
    out = apply_voi_lut(before, ds, index=index, prefer_lut=lut).astype(np.float64)
    low, high = output_range(ds)
    if lut and "VOILUTSequence" in ds:
        low, high = 0.0, 2.0 ** ds.VOILUTSequence[index].LUTDescriptor[2] - 1
    return (out - low) / (high - low) * TOP


def output_range(ds: Dataset) -> tuple[float, float]:
    """The range in which pydicom gives the result of its modality step and of its windows."""
    if "ModalityLUTSequence" in ds:
        return 0.0, 2.0 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    low, high = 0.0, 2.0**ds.BitsStored - 1
    if ds.PixelRepresentation == 1:
        low, high = low - 2.0 ** (ds.BitsStored - 1), high - 2.0 ** (ds.BitsStored - 1)
    if ds.get("RescaleSlope") is not None:
        low, high = sorted(
            float(ds.RescaleSlope) * v + float(ds.RescaleIntercept) for v in (low, high)
        )
    return low, high
