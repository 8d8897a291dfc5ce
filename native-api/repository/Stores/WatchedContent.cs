// What a request sends, piece by piece, so that it is seen how far it has come.
using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Repositories;

/// <summary>Threads: one at a time.</summary>
sealed class WatchedContent(ReadOnlyMemory<byte> content, StallWatch watch) : HttpContent
{
    const int PieceBytes = 256 << 10;

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancel)
    {
        for (int at = 0; at < content.Length; at += PieceBytes)
        {
            stream.Write(content.Span.Slice(at, Math.Min(PieceBytes, content.Length - at)));
            watch.Progress();
        }
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        for (int at = 0; at < content.Length; at += PieceBytes)
        {
            await stream.WriteAsync(content.Slice(at, Math.Min(PieceBytes, content.Length - at))).ConfigureAwait(false);
            watch.Progress();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = content.Length;
        return true;
    }
}
