"""Pictures of any size and format as targets."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from guldberg.design.result import Picture
from guldberg.errors import InputError


def read(path: Path, shape: tuple[int, int], species: int) -> Picture:
    """The picture at `path` as the concentration (1 + z) / 2 of a species, with z = (grey - mean) / sd, not below -1.

    It is turned to grey, cut to the proportions of the grid about its centre, and resized. InputError where it is no
    picture or has no contrast; OSError where there is no file.
    """
    shades = grey(path, shape)
    if np.ptp(shades) <= 1e-6 * max(1.0, np.abs(shades).max()):
        raise InputError("this picture is the same everywhere: there is nothing to resemble", file=str(path))
    z = np.maximum((shades - shades.mean()) / shades.std(), -1.0)
    return Picture(species, (1 + z) / 2, path.name)


def grey(path: Path, shape: tuple[int, int]) -> Float[np.ndarray, "height width"]:
    """The shades of grey of the picture at `path`, cut and resized; 0 is black. Fails as `read` does."""
    data = path.read_bytes()  # so that a missing file is told as one
    del data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # damage beside the picture itself
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return np.asarray(ImageOps.fit(_one_channel(picture), (shape[1], shape[0])), float)
    except UnidentifiedImageError:
        raise InputError(
            "not a picture that can be read; expected PNG, JPEG, GIF, TIFF or WebP", file=str(path)
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError("this picture is too large to be read; give a smaller one", file=str(path)) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"this picture is damaged ({error})", file=str(path)) from error


def _one_channel(picture: Image.Image) -> Image.Image:
    """As floating grey. What is transparent is white, as on a page."""
    if picture.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        return picture.convert("F")
    if "A" in picture.getbands() or "transparency" in picture.info:
        page = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(page, picture.convert("RGBA"))
    return picture.convert("L").convert("F")
