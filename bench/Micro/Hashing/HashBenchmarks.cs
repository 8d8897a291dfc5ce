// What a repository and a tracker do to every byte that they store: the hash that names a chunk, the authenticator of
// what is sealed, and the check value of a tracker's blocks; ours beside the library's where there are both.
using System;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using FastBackup.Repositories;
using FastBackup.Tracking.Format;
using Org.BouncyCastle.Crypto.Parameters;

namespace FastBackup.Bench.Micro.Hashing;

public class HashBenchmarks
{
    readonly byte[] _key = new byte[2 * Poly1305.KeyBytes];
    readonly byte[] _tag = new byte[Poly1305.TagBytes];
    readonly byte[] _hash = new byte[SHA256.HashSizeInBytes];
    readonly Org.BouncyCastle.Crypto.Macs.Poly1305 _library = new();
    byte[] _content = [];

    [Params(64, 4 << 10, 256 << 10, 1 << 20)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _content = new byte[Bytes];
        Random random = new(1);
        random.NextBytes(_content);
        random.NextBytes(_key);
    }

    [Benchmark]
    public int Sha256() => SHA256.HashData(_content, _hash);

    [Benchmark]
    public uint Crc32cOfBlock() => Crc32C.Of(_content);

    [Benchmark]
    public void Poly1305OfOurs() =>
        Poly1305.Compute(_key.AsSpan(0, Poly1305.KeyBytes), _key.AsSpan(Poly1305.KeyBytes), _content, _tag);

    [Benchmark]
    public int Poly1305OfLibrary()
    {
        _library.Init(new KeyParameter(_key));
        _library.BlockUpdate(_content, 0, _content.Length);
        return _library.DoFinal(_tag, 0);
    }
}
