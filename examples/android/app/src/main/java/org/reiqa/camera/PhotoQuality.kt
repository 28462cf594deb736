package org.reiqa.camera

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.ZipFile
import kotlin.math.exp
import kotlin.math.hypot
import org.json.JSONObject
import org.tensorflow.lite.Interpreter

/** What the outputs of a file mean: `contract.json`, which is packed with it. */
class Contract(json: String) {
    private val entries = JSONObject(json)
    val scoreLow = entries.getDouble("score_low")
    val scoreHigh = entries.getDouble("score_high")
    val expectedSlope = entries.getDouble("expected_slope")
    val expectedOffset = entries.getDouble("expected_offset")
    val interval = entries.getDouble("interval")
    val distanceLimit = entries.getDouble("distance_limit")

    companion object {
        fun of(model: File): Contract {
            val archive = ZipFile(model)
            try {
                val entry = requireNotNull(archive.getEntry("contract.json")) {
                    "$model holds no contract.json: expected a file that reiqa export made"
                }
                return Contract(archive.getInputStream(entry).readBytes().toString(Charsets.UTF_8))
            } finally {
                archive.close()
            }
        }
    }
}

/** What a file says about a photo. */
class Quality(val score: Float, val spread: Float, val distance: Float) {
    /** Where people's mean score is to be expected: from the first to the second number. */
    fun interval(contract: Contract): Pair<Double, Double> {
        val middle = contract.expectedSlope * score + contract.expectedOffset
        val reach = contract.interval * spread
        return Pair(middle - reach, middle + reach)
    }

    /** Whether the picture is like photos; if not, its score means little. */
    fun isFamiliar(contract: Contract) = distance <= contract.distanceLimit

    /** Probability that people prefer this photo to another one. */
    fun beats(other: Quality): Double =
        1 / (1 + exp(-(score - other.score) / hypot(spread.toDouble(), other.spread.toDouble())))
}

/** A `.tflite` file of one size. Make it once; use it from one thread at a time. */
class PhotoQuality(model: File, threads: Int = 2) : AutoCloseable {
    val contract = Contract.of(model)
    private val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))
    private val shape = interpreter.getInputTensor(0).shape() // 1, height, width, 3
    val height = shape[1]
    val width = shape[2]
    private val pixels = ByteBuffer.allocateDirect(3 * height * width).order(ByteOrder.nativeOrder())

    fun judge(picture: Picture): Quality {
        require(picture.height == height && picture.width == width) {
            "expected $height x $width, received ${picture.height} x ${picture.width}"
        }
        pixels.rewind()
        pixels.put(picture.rgb)
        pixels.rewind()
        // By name: the order of outputs is the converter's.
        val outputs = listOf("score", "spread", "distance").associateWith { FloatArray(1) }
        interpreter.runSignature(mapOf("images" to pixels), outputs, "serving_default")
        fun number(name: String) = outputs.getValue(name)[0]
        return Quality(number("score"), number("spread"), number("distance"))
    }

    override fun close() = interpreter.close()
}
