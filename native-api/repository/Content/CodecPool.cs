// Ciphers and codecs, each for one thread at a time, kept for the next that asks.
using System;
using System.Collections.Concurrent;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class CodecPool(MasterKey key) : IDisposable
{
    readonly ConcurrentBag<BlobCodec> _free = [];

    public BlobCodec Rent() => _free.TryTake(out BlobCodec? codec) ? codec : new BlobCodec(key);

    public void Return(BlobCodec codec) => _free.Add(codec);

    public void Dispose()
    {
        foreach (BlobCodec codec in _free)
            codec.Dispose();
    }
}
