// The only file that calls LiteRT (pod 'TensorFlowLiteSwift', '~> 2.17'): copy it into the app.

import Foundation
import ReiqaCamera
import TensorFlowLite

/// A `.tflite` file of one size. Make it once; use it from one thread at a time.
final class PhotoQuality {
    let height, width: Int
    private let interpreter: Interpreter
    private let runner: SignatureRunner

    init(modelPath: String, threads: Int = 2) throws {
        var options = Interpreter.Options()
        options.threadCount = threads
        interpreter = try Interpreter(modelPath: modelPath, options: options)
        try interpreter.allocateTensors()
        let shape = try interpreter.input(at: 0).shape.dimensions  // 1, height, width, 3
        (height, width) = (shape[1], shape[2])
        runner = try interpreter.signatureRunner(with: "serving_default")
        try runner.allocateTensors()
    }

    func judge(_ picture: Picture) throws -> Quality {
        guard picture.height == height && picture.width == width else {
            throw FrameError(
                description: "expected \(height) x \(width), "
                    + "received \(picture.height) x \(picture.width)")
        }
        try runner.copy(Data(picture.rgb), toInputNamed: "images")
        try runner.invoke()
        // By name: the order of outputs is the converter's.
        func number(_ name: String) throws -> Float {
            try runner.output(named: name).data.withUnsafeBytes { $0.load(as: Float.self) }
        }
        return Quality(
            score: try number("score"), spread: try number("spread"),
            distance: try number("distance"))
    }
}
