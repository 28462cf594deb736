@file:Suppress("UNUSED_PARAMETER")

package androidx.camera.core

import androidx.camera.core.resolutionselector.ResolutionSelector
import java.nio.ByteBuffer
import java.util.concurrent.Executor

open class UseCase

class CameraSelector {
    companion object {
        val DEFAULT_BACK_CAMERA: CameraSelector get() = TODO()
    }
}

interface ImageInfo {
    val rotationDegrees: Int
}

interface ImageProxy : AutoCloseable {
    val height: Int
    val width: Int
    val imageInfo: ImageInfo
    val planes: Array<PlaneProxy>

    interface PlaneProxy {
        val buffer: ByteBuffer
        val rowStride: Int
        val pixelStride: Int
    }
}

class ImageAnalysis : UseCase() {
    interface Analyzer {
        fun analyze(image: ImageProxy)
    }

    fun setAnalyzer(executor: Executor, analyzer: Analyzer): Unit = TODO()

    class Builder {
        fun setResolutionSelector(selector: ResolutionSelector): Builder = TODO()
        fun setBackpressureStrategy(strategy: Int): Builder = TODO()
        fun build(): ImageAnalysis = TODO()
    }

    companion object {
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}

class Preview : UseCase() {
    interface SurfaceProvider

    fun setSurfaceProvider(provider: SurfaceProvider?): Unit = TODO()

    class Builder {
        fun build(): Preview = TODO()
    }
}
