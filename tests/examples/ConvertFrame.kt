/* Converts a frame from a file, so that its bytes can be compared with those of Python. */
package org.reiqa.camera

import java.io.File
import java.nio.ByteBuffer

/*
 * Arguments: the frame's file (luma, then Cr and Cb by turns), the file to write, then numbers:
 * height and width of the frame, bytes from row to row of luma and of chroma, degrees, height and
 * width of the picture; at last the name of the encoding.
 */
fun main(arguments: Array<String>) {
    val numbers = arguments.slice(2..8).map { it.toInt() }
    val height = numbers[0]
    val width = numbers[1]
    val lumaStride = numbers[2]
    val chromaStride = numbers[3]
    val samples = ByteBuffer.wrap(File(arguments[0]).readBytes())
    val chroma = height * lumaStride
    val frame = CameraFrame(
        height,
        width,
        Plane(samples, lumaStride, 1),
        Plane(samples, chromaStride, 2, chroma + 1),
        Plane(samples, chromaStride, 2, chroma)
    )
    val encoding = ColorEncoding.valueOf(arguments[9])
    val picture = uprightPicture(frame, numbers[4], numbers[5], numbers[6], encoding)
    check(picture.height == numbers[5] && picture.width == numbers[6])
    File(arguments[1]).writeBytes(picture.rgb)
}
