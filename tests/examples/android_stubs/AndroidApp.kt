package android.app

import android.content.Context
import android.os.Bundle
import android.view.View

open class Activity : Context() {
    open fun onCreate(savedInstanceState: Bundle?) = Unit
    open fun onDestroy() = Unit
    fun runOnUiThread(action: () -> Unit): Unit = action()
    fun setContentView(view: View): Unit = TODO(view.toString())
}
