/*
 * A camera frame, YUV 4:2:0, as the RGB picture that an exported file takes.
 *
 * Plain Kotlin without Android. Each function has the name, the arithmetic and the bytes of its
 * Python original in reiqa_tf/image/camera_frames.py, where it is explained; tests/examples
 * compares them.
 */
package org.reiqa.camera

import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/** Weights of old samples are whole numbers of 2^-22. */
private const val WEIGHT_BITS = 22

/** How Y, Cb and Cr make red, green and blue: factors in 65,536ths. */
enum class ColorEncoding(
    val luma: Int,
    val black: Int,
    val red: Int,
    val greenBlue: Int,
    val greenRed: Int,
    val blue: Int
) {
    JFIF(65536, 0, 91881, 22554, 46802, 116130),
    BT601_LIMITED(76309, 16, 104597, 25675, 53279, 132201),
    BT709_FULL(65536, 0, 103206, 12276, 30679, 121609),
    BT709_LIMITED(76309, 16, 117489, 13975, 34925, 138438)
}

/** Samples of one kind without gaps, rows from the top. */
class Grid(val height: Int, val width: Int, val samples: ByteArray)

/** Red, green and blue of each pixel, rows from the top. */
class Picture(val height: Int, val width: Int, val rgb: ByteArray)

/** One of the planes of a frame as it lies in memory, from the sample at `start` on. */
class Plane(
    private val samples: ByteBuffer,
    private val rowStride: Int,
    private val pixelStride: Int,
    private val start: Int = 0
) {
    fun startingAt(row: Int, column: Int) =
        Plane(samples, rowStride, pixelStride, start + row * rowStride + column * pixelStride)

    fun grid(height: Int, width: Int): Grid {
        val grid = ByteArray(height * width)
        for (row in 0 until height) {
            var place = start + row * rowStride
            for (column in 0 until width) {
                grid[row * width + column] = samples.get(place)
                place += pixelStride
            }
        }
        return Grid(height, width, grid)
    }
}

/** A frame as a camera hands it over; chroma is half as high and wide as luma, rounded up. */
class CameraFrame(
    val height: Int,
    val width: Int,
    val luma: Plane,
    val blue: Plane,
    val red: Plane
) {
    /** The largest part of a shape, from the middle. */
    fun middle(height: Int, width: Int): CameraFrame {
        val partHeight = min(this.height, (2 * this.width * height + width) / (2 * width))
        val partWidth = min(this.width, (2 * this.height * width + height) / (2 * height))
        val top = (this.height - partHeight) / 4
        val left = (this.width - partWidth) / 4
        return CameraFrame(
            partHeight,
            partWidth,
            luma.startingAt(2 * top, 2 * left),
            blue.startingAt(top, left),
            red.startingAt(top, left)
        )
    }
}

/** What a file of `height` x `width` takes of a frame: its middle, shrunk, turned clockwise. */
fun uprightPicture(
    frame: CameraFrame,
    degrees: Int,
    height: Int,
    width: Int,
    encoding: ColorEncoding = ColorEncoding.JFIF
): Picture {
    val lies = degrees % 180 != 0
    val lyingHeight = if (lies) width else height
    val lyingWidth = if (lies) height else width
    val middle = frame.middle(lyingHeight, lyingWidth)
    require(middle.height >= lyingHeight && middle.width >= lyingWidth) {
        "expected a frame of at least $lyingHeight x $lyingWidth, " +
            "received ${frame.height} x ${frame.width}"
    }
    return turn(frameToPicture(middle, lyingHeight, lyingWidth, encoding), degrees)
}

fun frameToPicture(
    frame: CameraFrame,
    height: Int,
    width: Int,
    encoding: ColorEncoding = ColorEncoding.JFIF
): Picture {
    val halfHeight = (frame.height + 1) / 2
    val halfWidth = (frame.width + 1) / 2
    return ycbcrToRgb(
        shrink(frame.luma.grid(frame.height, frame.width), height, width),
        shrink(frame.blue.grid(halfHeight, halfWidth), height, width),
        shrink(frame.red.grid(halfHeight, halfWidth), height, width),
        encoding
    )
}

fun ycbcrToRgb(luma: Grid, blue: Grid, red: Grid, encoding: ColorEncoding): Picture {
    val rgb = ByteArray(3 * luma.samples.size)
    var place = 0
    for (i in luma.samples.indices) {
        val y = encoding.luma * (level(luma.samples[i]) - encoding.black) + 32768
        val b = level(blue.samples[i]) - 128
        val r = level(red.samples[i]) - 128
        rgb[place++] = cut((y + encoding.red * r) shr 16)
        rgb[place++] = cut((y - encoding.greenBlue * b - encoding.greenRed * r) shr 16)
        rgb[place++] = cut((y + encoding.blue * b) shr 16)
    }
    return Picture(luma.height, luma.width, rgb)
}

/** Brings a plane to a size by the cubic kernel, as wide as the reduction; as Pillow does. */
fun shrink(plane: Grid, height: Int, width: Int): Grid =
    transposed(shrinkRows(transposed(shrinkRows(plane, width)), height))

/** Shrinks a picture of any source, such as a decoded photo, in the same way. */
fun shrink(picture: Picture, height: Int, width: Int): Picture {
    val rgb = ByteArray(3 * height * width)
    for (channel in 0..2) {
        val samples = ByteArray(picture.height * picture.width) { picture.rgb[3 * it + channel] }
        val band = shrink(Grid(picture.height, picture.width, samples), height, width)
        for (i in band.samples.indices) rgb[3 * i + channel] = band.samples[i]
    }
    return Picture(height, width, rgb)
}

/** Turns a picture clockwise by 0, 90, 180 or 270 degrees. */
fun turn(picture: Picture, degrees: Int): Picture {
    require(degrees in listOf(0, 90, 180, 270)) { "expected quarter turns, received $degrees" }
    if (degrees == 0) return picture
    val height = picture.height
    val width = picture.width
    val rgb = ByteArray(picture.rgb.size)
    for (row in 0 until height) for (column in 0 until width) {
        val place = when (degrees) {
            90 -> column * height + height - 1 - row
            180 -> (height - 1 - row) * width + width - 1 - column
            else -> (width - 1 - column) * height + row
        }
        val old = 3 * (row * width + column)
        for (channel in 0..2) rgb[3 * place + channel] = picture.rgb[old + channel]
    }
    return if (degrees == 180) Picture(height, width, rgb) else Picture(width, height, rgb)
}

/** The old samples that make a new one: the first of them, and the weights. */
private class Taps(val first: Int, val weights: IntArray)

private fun bicubicWeights(old: Int, new: Int): List<Taps> {
    val scale = old.toDouble() / new
    val stretch = max(scale, 1.0)
    return List(new) { place ->
        val center = (place + 0.5) * scale
        val first = max((center - 2 * stretch + 0.5).toInt(), 0)
        val last = min((center + 2 * stretch + 0.5).toInt(), old)
        val shares = DoubleArray(last - first) { cubic((it + first - center + 0.5) * (1.0 / stretch)) }
        var total = 0.0
        for (share in shares) total += share
        Taps(first, IntArray(shares.size) {
            val exact = shares[it] / total * (1 shl WEIGHT_BITS)
            (if (exact < 0) exact - 0.5 else exact + 0.5).toInt()
        })
    }
}

/** The cubic convolution kernel with a = -1/2. */
private fun cubic(distance: Double): Double {
    val x = abs(distance)
    return when {
        x < 1 -> (1.5 * x - 2.5) * x * x + 1
        x < 2 -> (((x - 5) * x + 8) * x - 4) * -0.5
        else -> 0.0
    }
}

private fun shrinkRows(plane: Grid, width: Int): Grid {
    val taps = bicubicWeights(plane.width, width)
    val samples = ByteArray(plane.height * width)
    for (row in 0 until plane.height) for (place in 0 until width) {
        var old = row * plane.width + taps[place].first
        var sum = 1 shl (WEIGHT_BITS - 1)
        for (weight in taps[place].weights) sum += weight * level(plane.samples[old++])
        samples[row * width + place] = cut(sum shr WEIGHT_BITS)
    }
    return Grid(plane.height, width, samples)
}

private fun transposed(plane: Grid): Grid {
    val samples = ByteArray(plane.samples.size)
    for (row in 0 until plane.height) for (column in 0 until plane.width) {
        samples[column * plane.height + row] = plane.samples[row * plane.width + column]
    }
    return Grid(plane.width, plane.height, samples)
}

private fun level(sample: Byte): Int = sample.toInt() and 255

private fun cut(level: Int): Byte = level.coerceIn(0, 255).toByte()
