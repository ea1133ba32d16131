"""Which frames of an object make an image, and what the image is called then."""

from typing import Literal

# What an object of several frames gives: "error" no image, it is skipped; "middle" frame
# (n - 1) // 2 of n, counted from 0; "all" one image a frame; "mip" one image, of each pixel the
# stored value that is shown brightest over all frames; padding counts only where all frames have it
# (`stored_values.keep_brighter`). An object of one frame gives that frame under each of them.
Frames = Literal["error", "first", "middle", "all", "mip"]


def choose_frames(frames: Frames, count: int) -> tuple[tuple[int, ...], ...]:
    """For each image that an object of `count` frames gives, the frames it is made of, from 0."""
    everything = tuple(range(count))
    chosen = {
        "error": ((0,),),
        "first": ((0,),),
        "middle": (((count - 1) // 2,),),
        "all": tuple((frame,) for frame in everything),
        "mip": (everything,),
    }
    return chosen[frames]


def frame_number(chosen: tuple[int, ...], count: int) -> int | None:
    """The one frame that was chosen; None where the object has no other, and for a maximum."""
    return chosen[0] if count > 1 and len(chosen) == 1 else None


def name_of(sop_instance_uid: str, frame: int | None, frames: Frames) -> str:
    """What the image id is made from: the UID, and the frame where each frame is an image."""
    if frames == "all" and frame is not None:
        return f"{sop_instance_uid}\0{frame}"
    return sop_instance_uid
