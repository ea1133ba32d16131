"""What `--ckpt` names: checkpoints, artifacts, run directories or an ensemble file."""

from collections.abc import Sequence
from pathlib import Path

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.ensembles.combine import Combine
from trainer.ensembles.ensemble_file import EnsembleFile, Member, is_ensemble, read_ensemble
from trainer.run_folder import ENSEMBLE, MODEL, fold_folders


def find_members(
    paths: Sequence[Path], combine: Combine | None = None, weights: Sequence[float] = ()
) -> EnsembleFile:
    """The members that the paths name, in their order, each with its weight.

    A run directory stands for its model.safetensors; that of a cross-validation for those of all
    its folds, and where it is the only path and nothing is said of how to combine, for its
    ensemble.json. Without `weights` all are equal. Raises ConfigError where an ensemble file does
    not stand alone, a file is named twice or the weights do not fit, CheckpointError where a run
    has no model.
    """
    is_plain = combine is None and not weights
    if len(paths) == 1 and paths[0].is_dir() and is_plain and (paths[0] / ENSEMBLE).is_file():
        return read_ensemble(paths[0] / ENSEMBLE)
    if any(is_ensemble(path) for path in paths):
        if len(paths) > 1 or not is_plain:
            raise ConfigError(
                "an ensemble file says itself which members count how much; give it alone, without "
                "--combine and --weights, or name its members"
            )
        return read_ensemble(paths[0])
    files = [file for path in paths for file in _files(path)]
    if len({weights_file(file).resolve() for file in files}) < len(files):
        raise ConfigError("--ckpt names a checkpoint twice; --weights says how much each counts")
    shares = list(weights) or [1.0] * len(files)
    if len(shares) != len(files):
        raise ConfigError(
            f"--weights has {len(shares)} numbers for {len(files)} members; give one for each"
        )
    members = (Member(file, "", share) for file, share in zip(files, shares, strict=True))
    return EnsembleFile(tuple(members), combine or "prob")


def weights_file(path: Path) -> Path:
    """The file with the weights of a checkpoint, or of the artifact of which `path` is either."""
    return path.with_suffix(".safetensors") if path.suffix == ".json" else path


def _files(path: Path) -> list[Path]:
    """The checkpoint itself, or those of the run in a folder, in the order of its folds."""
    if not path.is_dir():
        return [path]
    runs = fold_folders(path) or [path]
    for run in runs:
        if not (run / MODEL).is_file():
            raise CheckpointError(
                f"no {MODEL} in {str(run)!r}: it is no run of `mammo train`, or is not done; name "
                "a run that is, or a checkpoint"
            )
    return [run / MODEL for run in runs]
