// Bytes that a client reads as it sends them, so that it is seen how far it has come.
using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Repositories;

/// <summary>Threads: one at a time.</summary>
sealed class WatchedStream(ArraySegment<byte> content, StallWatch watch)
    : MemoryStream(content.Array!, content.Offset, content.Count, writable: false)
{
    public override int Read(byte[] buffer, int offset, int count)
    {
        watch.Progress();
        return base.Read(buffer, offset, count);
    }

    public override int Read(Span<byte> buffer)
    {
        watch.Progress();
        return base.Read(buffer);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        watch.Progress();
        return base.ReadAsync(buffer, offset, count, cancellationToken);
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        watch.Progress();
        return base.ReadAsync(buffer, cancellationToken);
    }
}
