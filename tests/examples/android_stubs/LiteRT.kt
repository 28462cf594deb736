@file:Suppress("UNUSED_PARAMETER")

package org.tensorflow.lite

import java.io.File

interface Tensor {
    fun shape(): IntArray
}

class Interpreter(model: File, options: Options) : AutoCloseable {
    class Options {
        fun setNumThreads(threads: Int): Options = TODO()
    }

    fun getInputTensor(index: Int): Tensor = TODO()
    fun runSignature(inputs: Map<String, Any>, outputs: Map<String, Any>, key: String): Unit = TODO()

    override fun close(): Unit = TODO()
}
