#if canImport(CoreVideo)
    import CoreVideo

    extension ColorEncoding {
        /// The encoding of a buffer, as its format and its attachments say; JPEG's if they do not.
        public static func of(_ buffer: CVPixelBuffer) -> ColorEncoding {
            let isLimited =
                CVPixelBufferGetPixelFormatType(buffer)
                == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange
            let matrix = CVBufferCopyAttachment(buffer, kCVImageBufferYCbCrMatrixKey, nil)
            let isHD = (matrix as? String) == (kCVImageBufferYCbCrMatrix_ITU_R_709_2 as String)
            switch (isHD, isLimited) {
            case (false, false): return .jfif
            case (false, true): return .bt601Limited
            case (true, false): return .bt709Full
            case (true, true): return .bt709Limited
            }
        }
    }

    /// What a file of `height` x `width` takes of a buffer of `AVCaptureVideoDataOutput`.
    ///
    /// `buffer` has the format 420f or 420v (`kCVPixelFormatType_420YpCbCr8BiPlanarFullRange` and
    /// `VideoRange`); `degrees` is by how much it is to be turned clockwise: 90 of the back camera of
    /// a phone that is held upright, unless the connection's `videoRotationAngle` turns it already.
    public func uprightPicture(
        _ buffer: CVPixelBuffer, degrees: Int, height: Int, width: Int
    ) throws -> Picture {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard CVPixelBufferGetPlaneCount(buffer) == 2 else {
            throw FrameError(description: "expected a buffer of two planes, 420f or 420v")
        }
        func plane(_ index: Int, pixelStride: Int, start: Int) throws -> Plane {
            guard let address = CVPixelBufferGetBaseAddressOfPlane(buffer, index) else {
                throw FrameError(description: "the buffer has no address")
            }
            let rowStride = CVPixelBufferGetBytesPerRowOfPlane(buffer, index)
            let count = rowStride * CVPixelBufferGetHeightOfPlane(buffer, index)
            return Plane(
                UnsafeRawBufferPointer(start: address, count: count),
                rowStride: rowStride, pixelStride: pixelStride, start: start)
        }
        let frame = CameraFrame(
            height: CVPixelBufferGetHeight(buffer), width: CVPixelBufferGetWidth(buffer),
            luma: try plane(0, pixelStride: 1, start: 0),
            blue: try plane(1, pixelStride: 2, start: 0),
            red: try plane(1, pixelStride: 2, start: 1))
        return try uprightPicture(
            frame, degrees: degrees, height: height, width: width, encoding: .of(buffer))
    }
#endif
