package android

class Manifest {
    object permission { // as Android writes it
        const val CAMERA = "android.permission.CAMERA"
    }
}
