import XCTest

@testable import ReiqaCamera

final class CameraFrameTests: XCTestCase {
    /// The bytes of `upright_picture` of reiqa_tf/image/camera_frames.py for the same frame.
    func testAFrameBecomesTheBytesOfPython() throws {
        let height = 12
        let width = 16
        let luma = (0..<height * width).map { UInt8(truncatingIfNeeded: 37 * $0) }
        let chroma = (0..<height * width / 2).map { UInt8(truncatingIfNeeded: 53 * $0 + 11) }
        let samples = luma + chroma
        try samples.withUnsafeBytes { bytes in
            let chromaBytes = UnsafeRawBufferPointer(rebasing: bytes[luma.count...])
            let frame = CameraFrame(
                height: height, width: width,
                luma: Plane(bytes, rowStride: width),
                blue: Plane(chromaBytes, rowStride: width, pixelStride: 2, start: 1),
                red: Plane(chromaBytes, rowStride: width, pixelStride: 2, start: 0))
            let picture = try uprightPicture(frame, degrees: 90, height: 4, width: 3)
            XCTAssertEqual(picture.rgb, expected)
        }
    }

    private let expected: [UInt8] = [
        101, 138, 164, 148, 120, 143, 86, 132, 156, 124, 141, 89, 140, 137, 86, 128, 123, 119, 152,
        120, 143, 101, 126, 156, 78, 146, 145, 90, 125, 163, 131, 132, 126, 155, 119, 69
    ]
}
