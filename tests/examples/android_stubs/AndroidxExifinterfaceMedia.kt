@file:Suppress("UNUSED_PARAMETER")

package androidx.exifinterface.media

import java.io.InputStream

class ExifInterface(stream: InputStream) {
    val rotationDegrees: Int get() = TODO()
}
