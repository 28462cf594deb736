@file:Suppress("UNUSED_PARAMETER")

package android.widget

import android.content.Context
import android.view.View

open class TextView(context: Context) : View(context) {
    var text: CharSequence = ""
}

class Button(context: Context) : TextView(context)

class LinearLayout(context: Context) : View(context) {
    var orientation: Int = 0

    fun addView(child: View): Unit = TODO()
    fun addView(child: View, parameters: LayoutParams): Unit = TODO()

    class LayoutParams(width: Int, height: Int, weight: Float) {
        companion object {
            const val MATCH_PARENT = -1
        }
    }

    companion object {
        const val VERTICAL = 1
    }
}
