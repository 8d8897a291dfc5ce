// What a disk must hold: bytes, and for each whether it was trimmed since it was last written. A trimmed byte may be
// zero or what it was: servers trim whole blocks, or nothing at all.
// Source: NetworkBlockDevice/nbd doc/proto.md, NBD_CMD_TRIM.
using System;
using FastBackup.Tests.Nbd;

namespace FastBackup.Tests.Hosts.Traces;

/// <summary>Threads: one.</summary>
sealed class DiskModel(int sizeBytes)
{
    readonly byte[] _content = new byte[sizeBytes];
    readonly bool[] _isTrimmed = new bool[sizeBytes];

    public ReadOnlySpan<byte> Content => _content;

    public ReadOnlySpan<bool> IsTrimmed => _isTrimmed;

    /// <summary>Takes a request that a server has answered; what a read has brought is compared.</summary>
    public void Apply(NbdRequest request)
    {
        if (request.Error != 0)
            throw new TraceMismatchException($"{request} was answered with error {request.Error}");
        int offset = (int)request.OffsetBytes;
        int length = (int)request.LengthBytes;
        switch (request.Command)
        {
            case NbdWire.CommandWrite:
                request.Content!.CopyTo(_content, offset);
                _isTrimmed.AsSpan(offset, length).Clear();
                break;
            case NbdWire.CommandWriteZeroes:
                _content.AsSpan(offset, length).Clear();
                _isTrimmed.AsSpan(offset, length).Clear();
                break;
            case NbdWire.CommandTrim:
                _isTrimmed.AsSpan(offset, length).Fill(true);
                break;
            case NbdWire.CommandRead:
                Compare(offset, request.Content, "a read of the live disk");
                break;
        }
    }

    /// <summary>Compares the whole disk, and from now on expects exactly these bytes.</summary>
    public void Settle(ReadOnlySpan<byte> actual, string what)
    {
        if (actual.Length != _content.Length)
            throw new TraceMismatchException($"{what} has {actual.Length} bytes, not {_content.Length}");
        Compare(0, actual, what);
        actual.CopyTo(_content);
        Array.Clear(_isTrimmed);
    }

    void Compare(int offset, ReadOnlySpan<byte> actual, string what)
    {
        ReadOnlySpan<byte> expected = _content.AsSpan(offset, actual.Length);
        for (int at = 0; (at += expected[at..].CommonPrefixLength(actual[at..])) < actual.Length; at++)
        {
            if (!_isTrimmed[offset + at] || actual[at] != 0)
                throw new TraceMismatchException(
                    $"{what}: byte {offset + at} is {actual[at]}, not {expected[at]}"
                        + (_isTrimmed[offset + at] ? " or 0, for it was trimmed" : "")
                );
        }
    }
}
