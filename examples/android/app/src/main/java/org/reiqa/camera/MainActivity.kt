package org.reiqa.camera

import android.Manifest
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.Preview
import androidx.camera.core.resolutionselector.AspectRatioStrategy
import androidx.camera.core.resolutionselector.ResolutionSelector
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import java.io.File
import java.util.concurrent.Executors

/** The viewfinder with its score, and a button to judge a photo of the gallery. */
class MainActivity : ComponentActivity() {
    // One thread for all that is judged: an Interpreter serves one at a time.
    private val judging = Executors.newSingleThreadExecutor()
    private lateinit var quality: PhotoQuality
    private lateinit var finder: PreviewView
    private lateinit var frameText: TextView
    private lateinit var photoText: TextView

    private val askForCamera =
        registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) startCamera() else frameText.text = "The camera was not allowed."
        }

    private val pickPhoto =
        registerForActivityResult(ActivityResultContracts.PickVisualMedia()) { photo ->
            if (photo != null) judging.execute {
                val text = try {
                    written(quality.judge(
                        uprightPicture(contentResolver, photo, quality.height, quality.width)))
                } catch (error: Exception) {
                    error.message.toString()
                }
                runOnUiThread { photoText.text = "Photo: $text" }
            }
        }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        finder = PreviewView(this)
        frameText = TextView(this)
        photoText = TextView(this)
        val button = Button(this)
        button.text = "Judge a photo"
        button.setOnClickListener {
            pickPhoto.launch(
                PickVisualMediaRequest(ActivityResultContracts.PickVisualMedia.ImageOnly))
        }
        val page = LinearLayout(this)
        page.orientation = LinearLayout.VERTICAL
        page.addView(finder, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
        page.addView(frameText)
        page.addView(photoText)
        page.addView(button)
        setContentView(page)
        quality = PhotoQuality(modelFile())
        askForCamera.launch(Manifest.permission.CAMERA)
    }

    override fun onDestroy() {
        super.onDestroy()
        judging.execute { quality.close() } // behind whatever is being judged
        judging.shutdown()
    }

    private fun startCamera() {
        val provider = ProcessCameraProvider.getInstance(this)
        provider.addListener(Runnable {
            val preview = Preview.Builder().build()
            preview.setSurfaceProvider(finder.surfaceProvider)
            // The shape of the exported file, and no smaller than it: frames are never enlarged.
            val shape = ResolutionSelector.Builder()
                .setAspectRatioStrategy(AspectRatioStrategy.RATIO_4_3_FALLBACK_AUTO_STRATEGY)
                .build()
            val frames = ImageAnalysis.Builder()
                .setResolutionSelector(shape)
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .build()
            frames.setAnalyzer(judging, FrameAnalyzer(quality) { found ->
                runOnUiThread { frameText.text = "Viewfinder: ${written(found)}" }
            })
            provider.get().unbindAll()
            provider.get().bindToLifecycle(
                this, CameraSelector.DEFAULT_BACK_CAMERA, preview, frames)
        }, ContextCompat.getMainExecutor(this))
    }

    /** The model as a file, which LiteRT maps and whose contract is read. */
    private fun modelFile(): File {
        val file = File(filesDir, "model.tflite")
        assets.open("model.tflite").use { packed ->
            file.outputStream().use { copy -> packed.copyTo(copy) }
        }
        return file
    }

    private fun written(found: Quality): String {
        val (low, high) = found.interval(quality.contract)
        val remark = if (found.isFamiliar(quality.contract)) "" else ", unlike photos"
        return "%.2f (%.2f to %.2f)%s".format(found.score, low, high, remark)
    }
}
