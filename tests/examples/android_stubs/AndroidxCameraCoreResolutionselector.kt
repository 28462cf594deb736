@file:Suppress("UNUSED_PARAMETER")

package androidx.camera.core.resolutionselector

class AspectRatioStrategy {
    companion object {
        val RATIO_4_3_FALLBACK_AUTO_STRATEGY: AspectRatioStrategy get() = TODO()
    }
}

class ResolutionSelector {
    class Builder {
        fun setAspectRatioStrategy(strategy: AspectRatioStrategy): Builder = TODO()
        fun build(): ResolutionSelector = TODO()
    }
}
