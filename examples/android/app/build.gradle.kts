plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "org.reiqa.camera"
    compileSdk = 35
    defaultConfig {
        applicationId = "org.reiqa.camera"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "1.0"
    }
    androidResources { noCompress += "tflite" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
    kotlinOptions { jvmTarget = "11" }
}

dependencies {
    val camera = "1.4.1"
    implementation("androidx.activity:activity-ktx:1.9.3")
    implementation("androidx.camera:camera-camera2:$camera")
    implementation("androidx.camera:camera-lifecycle:$camera")
    implementation("androidx.camera:camera-view:$camera")
    implementation("androidx.core:core-ktx:1.15.0")
    implementation("androidx.exifinterface:exifinterface:1.3.7")
    // The last line of versions that holds org.tensorflow.lite.Interpreter: 2.x has CompiledModel
    // alone (https://github.com/google-ai-edge/LiteRT/issues/4775).
    implementation("com.google.ai.edge.litert:litert:1.4.1")
}
