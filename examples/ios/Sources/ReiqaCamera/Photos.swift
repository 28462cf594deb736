#if canImport(UIKit)
    import UIKit

    /// What a file of `height` x `width` takes of a photo: its middle, upright, in sRGB, shrunk.
    public func uprightPicture(_ photo: UIImage, height: Int, width: Int) throws -> Picture {
        // `UIImage.size` is upright already, but counts points.
        let whole = CGSize(
            width: (photo.size.width * photo.scale).rounded(),
            height: (photo.size.height * photo.scale).rounded())
        let ratio = CGFloat(width) / CGFloat(height)
        let part = CGSize(
            width: min(whole.width, (whole.height * ratio).rounded()),
            height: min(whole.height, (whole.width / ratio).rounded()))
        guard Int(part.width) >= width && Int(part.height) >= height else {
            throw FrameError(
                description: "expected a photo of at least \(height) x \(width), "
                    + "received \(Int(whole.height)) x \(Int(whole.width))")
        }
        let corner = CGPoint(
            x: ((part.width - whole.width) / 2).rounded(),
            y: ((part.height - whole.height) / 2).rounded())
        let pixels = try rgb(photo, in: CGRect(origin: corner, size: whole), of: part)
        let picture = Picture(height: Int(part.height), width: Int(part.width), rgb: pixels)
        return shrink(picture, height: height, width: width)
    }

    /// Draws a photo at its own size, so that nothing is scaled but by `shrink`.
    private func rgb(_ photo: UIImage, in place: CGRect, of size: CGSize) throws -> [UInt8] {
        let width = Int(size.width), height = Int(size.height)
        var pixels = [UInt8](repeating: 0, count: 4 * width * height)
        try pixels.withUnsafeMutableBytes { bytes in
            // sRGB, in which the model was fitted: photos of an iPhone are in Display P3.
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8,
                    bytesPerRow: 4 * width, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { throw FrameError(description: "no room for \(height) x \(width) pixels") }
            UIGraphicsPushContext(context)
            defer { UIGraphicsPopContext() }
            context.translateBy(x: 0, y: CGFloat(height))  // rows from the top
            context.scaleBy(x: 1, y: -1)
            photo.draw(in: place)  // turns the photo upright
        }
        var rgb = [UInt8]()
        rgb.reserveCapacity(3 * width * height)
        for i in stride(from: 0, to: pixels.count, by: 4) { rgb += pixels[i..<i + 3] }
        return rgb
    }
#endif
