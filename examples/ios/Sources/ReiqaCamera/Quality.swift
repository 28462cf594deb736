import Foundation

/// What the outputs of a file mean: the entries of its `contract.json`.
public struct Contract: Decodable {
    public let scoreLow, scoreHigh: Float
    public let expectedSlope, expectedOffset, interval: Float
    public let distanceLimit: Float

    /// Reads `contract.json`, which `unzip -p model.tflite contract.json` takes out of a file.
    public init(json: Data) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Contract.self, from: json)
    }
}

/// What a file says about a photo.
public struct Quality {
    public let score, spread, distance: Float

    public init(score: Float, spread: Float, distance: Float) {
        self.score = score
        self.spread = spread
        self.distance = distance
    }

    /// Where people's mean score is to be expected.
    public func interval(_ contract: Contract) -> ClosedRange<Float> {
        let middle = contract.expectedSlope * score + contract.expectedOffset
        let reach = contract.interval * spread
        return (middle - reach)...(middle + reach)
    }

    /// Whether the picture is like photos; if not, its score means little.
    public func isFamiliar(_ contract: Contract) -> Bool { distance <= contract.distanceLimit }

    /// Probability that people prefer this photo to another one.
    public func beats(_ other: Quality) -> Float {
        let deviation = (spread * spread + other.spread * other.spread).squareRoot()
        return 1 / (1 + exp(-(score - other.score) / deviation))
    }
}
