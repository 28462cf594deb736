"""Frames of a phone's camera, YUV 4:2:0, as the RGB pictures that exported files take.

A camera hands over brightness (luma, Y) at full size, and blueness and redness (chroma, U or Cb, V
or Cr) at half the width and height, in three planes of bytes whose rows and samples lie as far from
each other as the hardware likes: Android's `YUV_420_888`, of which NV21 and NV12 are two layouts,
and the two planes of an iPhone's `420YpCbCr8BiPlanar`.

This is the reference, in whole numbers throughout, so that every language computes the same bytes:
`examples/android` has it in Kotlin (`CameraFrame.kt`), `examples/ios` in Swift
(`CameraFrame.swift`), function by function under the same names. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from reiqa_tf.image.reading import ImageError

HALF = 1 << 15
"""What is added before a sum of 65,536ths is cut to a whole number: it is rounded, halves up."""

WEIGHT_BITS = 22
"""Weights of old samples are whole numbers of 2**-22."""

TURNS = (0, 90, 180, 270)
"""Degrees, clockwise, by which a frame is turned to stand upright."""

UPSAMPLINGS = ("nearest", "triangle")
"""How chroma gets the size of luma: see `frame_to_rgb`."""


@dataclasses.dataclass(frozen=True)
class ColorEncoding:
    """How Y, Cb and Cr of a frame make red, green and blue: factors in 65,536ths.

    With `y = luma * (Y - black)`, `b = Cb - 128` and `r = Cr - 128`:
    red is `y + red * r`, green is `y - green_blue * b - green_red * r`, blue is `y + blue * b`,
    each rounded (`(sum + 32768) >> 16`, the shift rounds down) and cut to 0 to 255.

    Attributes:
        luma: factor of luma; 65,536 of full range.
        black: the luma of black: 0 of full range, 16 of limited range.
        red: what Cr adds to red.
        green_blue: what Cb takes from green.
        green_red: what Cr takes from green.
        blue: what Cb adds to blue.
    """

    luma: int
    black: int
    red: int
    green_blue: int
    green_red: int
    blue: int


ENCODINGS = {
    "jfif": ColorEncoding(65536, 0, 91881, 22554, 46802, 116130),
    "bt601_limited": ColorEncoding(76309, 16, 104597, 25675, 53279, 132201),
    "bt709_full": ColorEncoding(65536, 0, 103206, 12276, 30679, 121609),
    "bt709_limited": ColorEncoding(76309, 16, 117489, 13975, 34925, 138438),
}
"""The encodings that cameras have, by name. `jfif` is that of JPEG files: BT.601 of full range.

Reference: JFIF 1.02 and its factors with five digits, as libjpeg has them; ITU-R BT.601-7 and
BT.709-6, factors `2 (1 - Kr)`, `2 (1 - Kb) Kb / Kg`, `2 (1 - Kr) Kr / Kg` and `2 (1 - Kb)`; limited
range times 255 / 219 for luma and 255 / 224 for chroma."""


@dataclasses.dataclass(frozen=True)
class Plane:
    """One of the three planes of a frame, as it lies in memory.

    Attributes:
        samples: uint8 array `(bytes,)`; behind the last sample it may end.
        row_stride: bytes from a row to the next one.
        pixel_stride: bytes from a sample to the next one of its row: 1, or 2 where two planes
            take turns.
    """

    samples: np.ndarray
    row_stride: int
    pixel_stride: int = 1

    def starting_at(self, row: int, column: int) -> Plane:
        """The same plane without its first rows and columns."""
        start = row * self.row_stride + column * self.pixel_stride
        return Plane(self.samples[start:], self.row_stride, self.pixel_stride)

    def grid(self, height: int, width: int) -> np.ndarray:
        """The samples as a picture.

        Args:
            height: rows of the plane.
            width: samples of a row.

        Returns:
            uint8 array `(height, width)`.

        Raises:
            ImageError: if the plane has not so many.
        """
        last = (height - 1) * self.row_stride + (width - 1) * self.pixel_stride
        if last >= self.samples.size:
            raise ImageError(
                f"plane: expected {last + 1} bytes or more of {height} rows of {width} samples, "
                f"{self.row_stride} and {self.pixel_stride} bytes from one to the next. Received: "
                f"{self.samples.size}"
            )
        rows = np.arange(height)[:, None] * self.row_stride
        return self.samples[rows + np.arange(width) * self.pixel_stride]


@dataclasses.dataclass(frozen=True)
class CameraFrame:
    """A frame as a camera hands it over.

    Attributes:
        height: of luma, in pixels.
        width: of luma, in pixels.
        luma: the `Plane` of Y, `(height, width)`.
        blue: that of Cb (U), half as high and wide, rounded up.
        red: that of Cr (V), likewise.
    """

    height: int
    width: int
    luma: Plane
    blue: Plane
    red: Plane

    @classmethod
    def nv21(cls, samples: np.ndarray, height: int, width: int) -> CameraFrame:
        """A frame that lies in one array without gaps: luma, then Cr and Cb by turns.

        Args:
            samples: uint8 array `(bytes,)`.
            height: of the picture, in pixels.
            width: of the picture, in pixels.

        Returns:
            `CameraFrame`.

        Example:
        ```python
        import numpy as np

        from reiqa_tf.image.camera_frames import CameraFrame, frame_to_picture

        samples = np.full(640 * 480 * 3 // 2, 128, np.uint8)
        frame = CameraFrame.nv21(samples, height=480, width=640)
        print(frame_to_picture(frame, 384, 512).shape)
        ```
        """
        chroma = samples[height * width :]
        stride = 2 * _half(width)
        return cls(
            height,
            width,
            luma=Plane(samples, width),
            blue=Plane(chroma[1:], stride, 2),
            red=Plane(chroma, stride, 2),
        )

    def middle(self, height: int, width: int) -> CameraFrame:
        """The largest part of a shape, from the middle.

        Args:
            height: of the shape.
            width: of the shape; only their ratio counts.

        Returns:
            `CameraFrame` on the same samples; it begins at an even row and column.
        """
        part_height = min(self.height, (2 * self.width * height + width) // (2 * width))
        part_width = min(self.width, (2 * self.height * width + height) // (2 * height))
        top, left = ((self.height - part_height) // 4, (self.width - part_width) // 4)
        return CameraFrame(
            part_height,
            part_width,
            self.luma.starting_at(2 * top, 2 * left),
            self.blue.starting_at(top, left),
            self.red.starting_at(top, left),
        )

    def planes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Y, Cb and Cr: uint8 arrays, the second and third half as high and wide, rounded up."""
        half = (_half(self.height), _half(self.width))
        return (
            self.luma.grid(self.height, self.width),
            self.blue.grid(*half),
            self.red.grid(*half),
        )


def upright_picture(
    frame: CameraFrame, degrees: int, height: int, width: int, encoding: str = "jfif"
) -> np.ndarray:
    """What an exported file takes of a frame: its middle, at the size of the file, upright.

    Args:
        frame: the `CameraFrame`, as the sensor lies.
        degrees: by how much it is to be turned clockwise, one of `TURNS`.
        height: of the upright picture, in pixels.
        width: of the upright picture, in pixels.
        encoding: one of `ENCODINGS`.

    Returns:
        uint8 array `(height, width, 3)`, RGB.

    Raises:
        ImageError: if the frame is smaller, or a plane is too short, or for another angle.

    Example:
    ```python
    import numpy as np

    from reiqa_tf.image.camera_frames import CameraFrame, upright_picture

    samples = np.full(640 * 480 * 3 // 2, 128, np.uint8)
    frame = CameraFrame.nv21(samples, height=480, width=640)
    print(upright_picture(frame, 90, height=512, width=384).shape)
    ```
    """
    lying = (height, width) if degrees % 180 == 0 else (width, height)
    middle = frame.middle(*lying)
    if middle.height < lying[0] or middle.width < lying[1]:
        raise ImageError(
            f"frame: expected at least {lying[0]} x {lying[1]} px (height x width), so that "
            f"nothing is enlarged. Received: {frame.height} x {frame.width}"
        )
    return turn(frame_to_picture(middle, *lying, encoding), degrees)


def frame_to_picture(
    frame: CameraFrame, height: int, width: int, encoding: str = "jfif"
) -> np.ndarray:
    """A frame at the size that an exported file takes.

    The planes are shrunk by `shrink`, each from its own size, and what is left becomes RGB: no
    picture of the frame's full size is made, and chroma is not enlarged first to be shrunk at once.

    Args:
        frame: the `CameraFrame`.
        height: of the picture, in pixels, as the frame lies: before it is turned.
        width: of the picture, in pixels.
        encoding: one of `ENCODINGS`.

    Returns:
        uint8 array `(height, width, 3)`, RGB.

    Raises:
        ImageError: if a plane is too short.
    """
    luma, blue, red = (shrink(plane, height, width) for plane in frame.planes())
    return ycbcr_to_rgb(luma, blue, red, encoding)


def frame_to_rgb(
    frame: CameraFrame, encoding: str = "jfif", upsampling: str = "nearest"
) -> np.ndarray:
    """A frame at its own size.

    Args:
        frame: the `CameraFrame`.
        encoding: one of `ENCODINGS`.
        upsampling: how chroma gets the size of luma. `"nearest"`: a sample counts for its four
            pixels. `"triangle"`: of a pixel's four nearest samples, which lie in the middle of four
            pixels each, in shares of 9, 3, 3 and 1 sixteenths, as libjpeg has it (its "fancy
            upsampling") and so whatever shows JPEG files.

    Returns:
        uint8 array `(height, width, 3)`, RGB.

    Raises:
        ImageError: if a plane is too short.
    """
    enlarge = {"nearest": _twice, "triangle": _twice_by_triangle}[upsampling]
    luma, *chroma = frame.planes()
    blue, red = (enlarge(plane)[: frame.height, : frame.width] for plane in chroma)
    return ycbcr_to_rgb(luma, blue, red, encoding)


def ycbcr_to_rgb(
    luma: np.ndarray, blue: np.ndarray, red: np.ndarray, encoding: str = "jfif"
) -> np.ndarray:
    """Y, Cb and Cr of the same size as RGB; `ColorEncoding` has the formula.

    Args:
        luma: uint8 array `(H, W)`, Y.
        blue: the same of Cb.
        red: the same of Cr.
        encoding: one of `ENCODINGS`.

    Returns:
        uint8 array `(H, W, 3)`.
    """
    factors = ENCODINGS[encoding]
    y = factors.luma * (luma.astype(np.int32) - factors.black) + HALF
    b, r = blue.astype(np.int32) - 128, red.astype(np.int32) - 128
    sums = (
        y + factors.red * r,
        y - factors.green_blue * b - factors.green_red * r,
        y + factors.blue * b,
    )
    return np.clip(np.stack(sums, axis=-1) >> 16, 0, 255).astype(np.uint8)


def shrink(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Brings a plane to a size as Pillow's `resize((width, height), BICUBIC)` does.

    That is how photos are shrunk for the head that judges them: the cubic convolution kernel, as
    wide as the reduction, so that every old sample counts; first along the rows, then, rounded to 8
    bits, along the columns. Weights are multiples of 2**-22, and sums of them exact.

    Args:
        plane: uint8 array `(H, W)`.
        height: new height, in samples.
        width: new width, in samples. Chroma may have to be enlarged, which works as well.

    Returns:
        uint8 array `(height, width)`.

    Reference: Pillow, `src/libImaging/Resample.c`.
    """
    narrow = _shrink_rows(plane, width)
    return _shrink_rows(narrow.T, height).T


def turn(picture: np.ndarray, degrees: int) -> np.ndarray:
    """Turns a picture clockwise.

    Cameras hand over frames as the sensor lies, and say by how much they are to be turned:
    `imageInfo.rotationDegrees` of CameraX, 90 of most phones held upright.

    Args:
        picture: array `(H, W, ...)`.
        degrees: one of `TURNS`.

    Returns:
        the turned array, `(W, H, ...)` after a quarter and three quarters.

    Raises:
        ImageError: if it is any other angle.
    """
    if degrees not in TURNS:
        raise ImageError(f"degrees: expected one of {TURNS}, clockwise. Received: {degrees!r}")
    return np.ascontiguousarray(np.rot90(picture, -degrees // 90))


def _half(side: int) -> int:
    return math.ceil(side / 2)


def _shrink_rows(plane: np.ndarray, width: int) -> np.ndarray:
    weights = bicubic_weights(plane.shape[1], width)
    # Sums of whole numbers below 2**53 are exact in float64, whose products are far faster.
    sums = plane.astype(np.float64) @ weights.T.astype(np.float64)
    rounded = (sums.astype(np.int64) + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
    return np.clip(rounded, 0, 255).astype(np.uint8)


def bicubic_weights(old: int, new: int) -> np.ndarray:
    """What each old sample of a row adds to each new one, in 2**-22.

    Args:
        old: number of old samples.
        new: number of new samples.

    Returns:
        int64 array `(new, old)`; the rows add up to about 2**22.
    """
    scale = old / new
    stretch = max(scale, 1.0)
    weights = np.zeros((new, old), np.int64)
    for place in range(new):
        center = (place + 0.5) * scale
        first = max(int(center - 2 * stretch + 0.5), 0)
        last = min(int(center + 2 * stretch + 0.5), old)
        distances = ((sample - center + 0.5) * (1.0 / stretch) for sample in range(first, last))
        shares = [_cubic(distance) for distance in distances]
        total = 0.0
        for share in shares:  # one after the other, as in C: `sum` of Python 3.12 is more exact
            total += share
        for sample, share in enumerate(shares, start=first):
            exact = share / total * (1 << WEIGHT_BITS)
            weights[place, sample] = int(exact - 0.5 if exact < 0 else exact + 0.5)
    return weights


def _cubic(distance: float) -> float:
    """The cubic convolution kernel with a = -1/2."""
    x = abs(distance)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * -0.5
    return 0.0


def _twice(plane: np.ndarray) -> np.ndarray:
    return plane.repeat(2, axis=0).repeat(2, axis=1)


def _twice_by_triangle(plane: np.ndarray) -> np.ndarray:
    """Twice as high and wide: three quarters of the nearer sample, one of the farther, both ways.

    Halves are rounded up and down by turns along a row, as libjpeg does.
    """
    old = plane.astype(np.int32)
    above, below = np.vstack([old[:1], old[:-1]]), np.vstack([old[1:], old[-1:]])
    rows = np.stack([3 * old + above, 3 * old + below], axis=1).reshape(-1, old.shape[1])
    left = np.hstack([rows[:, :1], rows[:, :-1]])
    right = np.hstack([rows[:, 1:], rows[:, -1:]])
    columns = np.stack([(3 * rows + left + 8) >> 4, (3 * rows + right + 7) >> 4], axis=2)
    return columns.reshape(len(rows), -1).astype(np.uint8)
