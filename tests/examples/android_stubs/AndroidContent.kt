package android.content

import android.content.res.AssetManager
import android.net.Uri
import java.io.File
import java.io.InputStream

open class Context {
    val assets: AssetManager get() = TODO()
    val contentResolver: ContentResolver get() = TODO()
    val filesDir: File get() = TODO()
}

abstract class ContentResolver {
    abstract fun openInputStream(uri: Uri): InputStream?
}
