@file:Suppress("UNUSED_PARAMETER")

package android.graphics

import java.io.InputStream

abstract class Bitmap {
    enum class Config { ARGB_8888 }

    abstract val height: Int
    abstract val width: Int
    abstract fun getPixels(
        pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int
    )

    companion object {
        fun createBitmap(
            source: Bitmap, x: Int, y: Int, width: Int, height: Int, matrix: Matrix?, filter: Boolean
        ): Bitmap = TODO()
    }
}

object BitmapFactory {
    class Options {
        var inPreferredConfig: Bitmap.Config = TODO()
        var inPreferredColorSpace: ColorSpace = TODO()
    }

    fun decodeStream(stream: InputStream, padding: Rect?, options: Options): Bitmap? = TODO()
}

class ColorSpace {
    enum class Named { SRGB }

    companion object {
        fun get(name: Named): ColorSpace = TODO()
    }
}

class Matrix

class Rect
