// swift-tools-version:5.9
import PackageDescription

// What an app needs beside LiteRT itself: frames and photos as the pixels that a file takes, and the
// meaning of its outputs. LiteRT is a CocoaPod (TensorFlowLiteSwift), so the file that calls it,
// App/PhotoQuality.swift, is copied into the app.
let package = Package(
    name: "ReiqaCamera",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "ReiqaCamera", targets: ["ReiqaCamera"])],
    targets: [
        .target(name: "ReiqaCamera"),
        .testTarget(name: "ReiqaCameraTests", dependencies: ["ReiqaCamera"]),
    ]
)
