@file:Suppress("UNUSED_PARAMETER")

package androidx.activity

import android.app.Activity
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContract
import androidx.lifecycle.LifecycleOwner

open class ComponentActivity : Activity(), LifecycleOwner {
    fun <I, O> registerForActivityResult(
        contract: ActivityResultContract<I, O>, callback: (O) -> Unit
    ): ActivityResultLauncher<I> = TODO()
}
