// Frames of the camera, judged one at a time. Make an `AVCaptureVideoDataOutput` with
// `videoSettings` 420f and `alwaysDiscardsLateVideoFrames`, and give it this delegate and a serial
// queue of its own.

import AVFoundation
import ReiqaCamera

final class CameraJudge: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    private let quality: PhotoQuality
    private let degrees: Int
    private let show: (Result<Quality, Error>) -> Void

    init(
        quality: PhotoQuality, degrees: Int = 90, show: @escaping (Result<Quality, Error>) -> Void
    ) {
        self.quality = quality
        self.degrees = degrees
        self.show = show
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        guard let buffer = CMSampleBufferGetImageBuffer(sample) else { return }
        let judged = Result {
            try quality.judge(
                uprightPicture(
                    buffer, degrees: degrees, height: quality.height, width: quality.width))
        }
        DispatchQueue.main.async { self.show(judged) }
    }
}
