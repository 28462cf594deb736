package org.reiqa.camera

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.graphics.Matrix
import android.net.Uri
import android.os.Build
import androidx.exifinterface.media.ExifInterface
import java.io.InputStream
import kotlin.math.min
import kotlin.math.roundToInt

/** What a file of `height` x `width` takes of a photo: its middle, upright, in sRGB, shrunk. */
fun uprightPicture(resolver: ContentResolver, photo: Uri, height: Int, width: Int): Picture {
    val turns = read(resolver, photo) { ExifInterface(it).rotationDegrees }
    val lies = turns % 180 != 0
    val lyingHeight = if (lies) width else height
    val lyingWidth = if (lies) height else width
    val options = BitmapFactory.Options()
    options.inPreferredConfig = Bitmap.Config.ARGB_8888
    if (Build.VERSION.SDK_INT >= 26) {
        options.inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
    }
    val whole = read(resolver, photo) { BitmapFactory.decodeStream(it, null, options) }
    requireNotNull(whole) { "$photo: not a picture" }
    val part = middle(whole, lyingHeight, lyingWidth)
    require(part.height >= lyingHeight && part.width >= lyingWidth) {
        "expected a photo of at least $lyingHeight x $lyingWidth, " +
            "received ${whole.height} x ${whole.width}"
    }
    // Shrunk by the filter that the scores were fitted with, not by `createScaledBitmap`.
    return turn(shrink(pictureOf(part), lyingHeight, lyingWidth), turns)
}

private fun <T> read(resolver: ContentResolver, photo: Uri, take: (InputStream) -> T): T {
    val stream = requireNotNull(resolver.openInputStream(photo)) { "$photo cannot be opened" }
    try {
        return take(stream)
    } finally {
        stream.close()
    }
}

/** The largest part of a shape, from the middle. */
private fun middle(photo: Bitmap, height: Int, width: Int): Bitmap {
    val partHeight = min(photo.height, (photo.width * height.toDouble() / width).roundToInt())
    val partWidth = min(photo.width, (photo.height * width.toDouble() / height).roundToInt())
    return Bitmap.createBitmap(
        photo,
        (photo.width - partWidth) / 2,
        (photo.height - partHeight) / 2,
        partWidth,
        partHeight,
        Matrix(),
        false
    )
}

/** Red, green and blue of each pixel, and nothing else. */
private fun pictureOf(bitmap: Bitmap): Picture {
    val rgb = ByteArray(3 * bitmap.height * bitmap.width)
    val row = IntArray(bitmap.width)
    var place = 0
    for (y in 0 until bitmap.height) {
        bitmap.getPixels(row, 0, bitmap.width, 0, y, bitmap.width, 1)
        for (pixel in row) {
            rgb[place++] = (pixel shr 16).toByte()
            rgb[place++] = (pixel shr 8).toByte()
            rgb[place++] = pixel.toByte()
        }
    }
    return Picture(bitmap.height, bitmap.width, rgb)
}
