// What a backup will ask an S3 store for, at most, before it begins: as if nothing of what is read were zero, known or
// compressible. A bill is requests and bytes; prices are the user's, none are known here.
using FastBackup.Base;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <param name="PutRequests">At most.</param>
/// <param name="SentBytes">At most.</param>
/// <param name="RequestsCost">Of the requests, at the price that was given; null: none was.</param>
/// <param name="MonthCost">Of a month of what is stored, at the price that was given; null: none was.</param>
sealed record StoreEstimate(ulong PutRequests, ulong SentBytes, double? RequestsCost, double? MonthCost)
{
    const ulong PartBytes = 16 * Units.MiB;
    const ulong RequestsOfParts = 2; // the begin and the end of an upload

    /// <summary>Lists of chunks, and what surrounds them: a name, its place, its authenticator.</summary>
    const ulong NameBytes = 128;

    /// <summary>Lock, snapshot, and an index.</summary>
    const ulong Others = 4;
    const ulong IndexedBlobs = 50_000;
    const double PricedRequests = 1000;

    /// <param name="readBytes">Of the disk.</param>
    /// <param name="chunkBytes">Of a chunk.</param>
    /// <param name="packBytes">Of a file in the store.</param>
    /// <param name="requestsPrice">Of 1000 PUTs; null: not given.</param>
    /// <param name="monthPrice">Of a GiB for a month; null: not given.</param>
    public static StoreEstimate Of(
        ulong readBytes,
        ulong chunkBytes,
        ulong packBytes,
        double? requestsPrice,
        double? monthPrice
    )
    {
        ulong chunks = Units.DivCeil(readBytes, chunkBytes);
        ulong bytes = readBytes + chunks * NameBytes;
        ulong packs = Units.DivCeil(bytes, packBytes) + 1; // lists have packs of their own
        ulong ofPack = packBytes > PartBytes ? Units.DivCeil(packBytes, PartBytes) + RequestsOfParts : 1;
        ulong puts = packs * ofPack + chunks / IndexedBlobs + Others;
        return new StoreEstimate(puts, bytes, requestsPrice * puts / PricedRequests, monthPrice * bytes / Units.GiB);
    }

    public EstimateEntry Entry => new(PutRequests, SentBytes, RequestsCost, MonthCost);

    public override string ToString() =>
        Phrases.Text($"at most {PutRequests} PUT requests, {ByteSize.Format(SentBytes)} sent")
        + (RequestsCost is { } once ? Phrases.Text($"; {once:0.00####} for the requests") : "")
        + (MonthCost is { } month ? Phrases.Text($"; {month:0.00####} a month for what is stored") : "");
}
