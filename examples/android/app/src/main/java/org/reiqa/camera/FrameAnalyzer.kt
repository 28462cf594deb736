package org.reiqa.camera

import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy

/** Judges the frames of the viewfinder, one at a time; CameraX drops those that come meanwhile. */
class FrameAnalyzer(
    private val quality: PhotoQuality,
    private val show: (Quality) -> Unit
) : ImageAnalysis.Analyzer {
    override fun analyze(image: ImageProxy) {
        try {
            val degrees = image.imageInfo.rotationDegrees
            show(quality.judge(uprightPicture(frameOf(image), degrees, quality.height, quality.width)))
        } finally {
            image.close() // or no other frame comes
        }
    }
}

/** The planes of an `ImageProxy` of the format YUV_420_888, which are valid until it is closed. */
fun frameOf(image: ImageProxy): CameraFrame {
    val (luma, blue, red) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return CameraFrame(image.height, image.width, luma, blue, red)
}
