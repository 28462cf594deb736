// A camera frame, YUV 4:2:0, as the RGB picture that an exported file takes.
//
// Plain Swift. Each function has the name, the arithmetic and the bytes of its Python original in
// reiqa_tf/image/camera_frames.py, where it is explained.

/// Weights of old samples are whole numbers of 2^-22.
private let weightBits = 22

/// How Y, Cb and Cr make red, green and blue: factors in 65,536ths.
public struct ColorEncoding {
    let luma, black, red, greenBlue, greenRed, blue: Int

    public static let jfif = ColorEncoding(
        luma: 65536, black: 0, red: 91881, greenBlue: 22554, greenRed: 46802, blue: 116130)
    public static let bt601Limited = ColorEncoding(
        luma: 76309, black: 16, red: 104597, greenBlue: 25675, greenRed: 53279, blue: 132201)
    public static let bt709Full = ColorEncoding(
        luma: 65536, black: 0, red: 103206, greenBlue: 12276, greenRed: 30679, blue: 121609)
    public static let bt709Limited = ColorEncoding(
        luma: 76309, black: 16, red: 117489, greenBlue: 13975, greenRed: 34925, blue: 138438)
}

public struct FrameError: Error, CustomStringConvertible {
    public let description: String
}

/// Samples of one kind without gaps, rows from the top.
public struct Grid {
    public let height, width: Int
    public let samples: [UInt8]

    public init(height: Int, width: Int, samples: [UInt8]) {
        self.height = height
        self.width = width
        self.samples = samples
    }
}

/// Red, green and blue of each pixel, rows from the top.
public struct Picture {
    public let height, width: Int
    public let rgb: [UInt8]

    public init(height: Int, width: Int, rgb: [UInt8]) {
        self.height = height
        self.width = width
        self.rgb = rgb
    }
}

/// One of the planes of a frame as it lies in memory, from the sample at `start` on.
public struct Plane {
    let samples: UnsafeRawBufferPointer
    let rowStride, pixelStride, start: Int

    public init(
        _ samples: UnsafeRawBufferPointer, rowStride: Int, pixelStride: Int = 1, start: Int = 0
    ) {
        self.samples = samples
        self.rowStride = rowStride
        self.pixelStride = pixelStride
        self.start = start
    }

    func startingAt(row: Int, column: Int) -> Plane {
        Plane(
            samples, rowStride: rowStride, pixelStride: pixelStride,
            start: start + row * rowStride + column * pixelStride)
    }

    func grid(height: Int, width: Int) -> Grid {
        var grid = [UInt8](repeating: 0, count: height * width)
        for row in 0..<height {
            for column in 0..<width {
                grid[row * width + column] =
                    samples[start + row * rowStride + column * pixelStride]
            }
        }
        return Grid(height: height, width: width, samples: grid)
    }
}

/// A frame as a camera hands it over; chroma is half as high and wide as luma, rounded up.
public struct CameraFrame {
    public let height, width: Int
    let luma, blue, red: Plane

    public init(height: Int, width: Int, luma: Plane, blue: Plane, red: Plane) {
        self.height = height
        self.width = width
        self.luma = luma
        self.blue = blue
        self.red = red
    }

    /// The largest part of a shape, from the middle.
    func middle(height: Int, width: Int) -> CameraFrame {
        let partHeight = min(self.height, (2 * self.width * height + width) / (2 * width))
        let partWidth = min(self.width, (2 * self.height * width + height) / (2 * height))
        let top = (self.height - partHeight) / 4
        let left = (self.width - partWidth) / 4
        return CameraFrame(
            height: partHeight, width: partWidth,
            luma: luma.startingAt(row: 2 * top, column: 2 * left),
            blue: blue.startingAt(row: top, column: left),
            red: red.startingAt(row: top, column: left))
    }
}

/// What a file of `height` x `width` takes of a frame: its middle, shrunk, turned clockwise.
public func uprightPicture(
    _ frame: CameraFrame, degrees: Int, height: Int, width: Int, encoding: ColorEncoding = .jfif
) throws -> Picture {
    let lies = degrees % 180 != 0
    let lyingHeight = lies ? width : height
    let lyingWidth = lies ? height : width
    let middle = frame.middle(height: lyingHeight, width: lyingWidth)
    guard middle.height >= lyingHeight && middle.width >= lyingWidth else {
        throw FrameError(
            description: "expected a frame of at least \(lyingHeight) x \(lyingWidth), "
                + "received \(frame.height) x \(frame.width)")
    }
    return try turn(
        frameToPicture(middle, height: lyingHeight, width: lyingWidth, encoding: encoding),
        degrees: degrees)
}

public func frameToPicture(
    _ frame: CameraFrame, height: Int, width: Int, encoding: ColorEncoding = .jfif
) -> Picture {
    let halfHeight = (frame.height + 1) / 2
    let halfWidth = (frame.width + 1) / 2
    return ycbcrToRgb(
        luma: shrink(
            frame.luma.grid(height: frame.height, width: frame.width), height: height, width: width),
        blue: shrink(
            frame.blue.grid(height: halfHeight, width: halfWidth), height: height, width: width),
        red: shrink(
            frame.red.grid(height: halfHeight, width: halfWidth), height: height, width: width),
        encoding: encoding)
}

func ycbcrToRgb(luma: Grid, blue: Grid, red: Grid, encoding: ColorEncoding) -> Picture {
    var rgb = [UInt8]()
    rgb.reserveCapacity(3 * luma.samples.count)
    for i in luma.samples.indices {
        let y = encoding.luma * (Int(luma.samples[i]) - encoding.black) + 32768
        let b = Int(blue.samples[i]) - 128
        let r = Int(red.samples[i]) - 128
        rgb.append(cut((y + encoding.red * r) >> 16))
        rgb.append(cut((y - encoding.greenBlue * b - encoding.greenRed * r) >> 16))
        rgb.append(cut((y + encoding.blue * b) >> 16))
    }
    return Picture(height: luma.height, width: luma.width, rgb: rgb)
}

/// Brings a plane to a size by the cubic kernel, as wide as the reduction; as Pillow does.
public func shrink(_ plane: Grid, height: Int, width: Int) -> Grid {
    transposed(shrinkRows(transposed(shrinkRows(plane, width: width)), width: height))
}

/// Shrinks a picture of any source, such as a decoded photo, in the same way.
public func shrink(_ picture: Picture, height: Int, width: Int) -> Picture {
    var rgb = [UInt8](repeating: 0, count: 3 * height * width)
    for channel in 0..<3 {
        let samples = stride(from: channel, to: picture.rgb.count, by: 3).map { picture.rgb[$0] }
        let band = shrink(
            Grid(height: picture.height, width: picture.width, samples: samples),
            height: height, width: width)
        for (i, sample) in band.samples.enumerated() { rgb[3 * i + channel] = sample }
    }
    return Picture(height: height, width: width, rgb: rgb)
}

/// Turns a picture clockwise by 0, 90, 180 or 270 degrees.
public func turn(_ picture: Picture, degrees: Int) throws -> Picture {
    guard [0, 90, 180, 270].contains(degrees) else {
        throw FrameError(description: "expected quarter turns, received \(degrees)")
    }
    if degrees == 0 { return picture }
    let height = picture.height
    let width = picture.width
    var rgb = [UInt8](repeating: 0, count: picture.rgb.count)
    for row in 0..<height {
        for column in 0..<width {
            let place: Int
            switch degrees {
            case 90: place = column * height + height - 1 - row
            case 180: place = (height - 1 - row) * width + width - 1 - column
            default: place = (width - 1 - column) * height + row
            }
            let old = 3 * (row * width + column)
            for channel in 0..<3 { rgb[3 * place + channel] = picture.rgb[old + channel] }
        }
    }
    return degrees == 180
        ? Picture(height: height, width: width, rgb: rgb)
        : Picture(height: width, width: height, rgb: rgb)
}

/// The old samples that make a new one: the first of them, and the weights.
private struct Taps {
    let first: Int
    let weights: [Int]
}

private func bicubicWeights(old: Int, new: Int) -> [Taps] {
    let scale = Double(old) / Double(new)
    let stretch = max(scale, 1)
    return (0..<new).map { place in
        let center = (Double(place) + 0.5) * scale
        let first = max(Int(center - 2 * stretch + 0.5), 0)
        let last = min(Int(center + 2 * stretch + 0.5), old)
        let shares = (first..<last).map { cubic((Double($0) - center + 0.5) * (1 / stretch)) }
        let total = shares.reduce(0, +)
        return Taps(
            first: first,
            weights: shares.map { share in
                let exact = share / total * Double(1 << weightBits)
                return Int(exact < 0 ? exact - 0.5 : exact + 0.5)
            })
    }
}

/// The cubic convolution kernel with a = -1/2.
private func cubic(_ distance: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * -0.5 }
    return 0
}

private func shrinkRows(_ plane: Grid, width: Int) -> Grid {
    let taps = bicubicWeights(old: plane.width, new: width)
    var samples = [UInt8](repeating: 0, count: plane.height * width)
    for row in 0..<plane.height {
        for place in 0..<width {
            var old = row * plane.width + taps[place].first
            var sum = 1 << (weightBits - 1)
            for weight in taps[place].weights {
                sum += weight * Int(plane.samples[old])
                old += 1
            }
            samples[row * width + place] = cut(sum >> weightBits)
        }
    }
    return Grid(height: plane.height, width: width, samples: samples)
}

private func transposed(_ plane: Grid) -> Grid {
    var samples = [UInt8](repeating: 0, count: plane.samples.count)
    for row in 0..<plane.height {
        for column in 0..<plane.width {
            samples[column * plane.height + row] = plane.samples[row * plane.width + column]
        }
    }
    return Grid(height: plane.width, width: plane.height, samples: samples)
}

private func cut(_ level: Int) -> UInt8 { UInt8(min(max(level, 0), 255)) }
