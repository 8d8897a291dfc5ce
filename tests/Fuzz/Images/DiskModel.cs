// What a disk is to read as, by sectors: what was there, what was written since, and of which nothing is said: what was
// discarded, or written to without success.
using System;

namespace FastBackup.Tests.Fuzz.Images;

sealed class DiskModel
{
    const int SectorBytes = 512;

    byte[] _content;
    bool[] _isKnown;

    /// <param name="content">All of it; whole sectors.</param>
    public DiskModel(ReadOnlySpan<byte> content)
    {
        _content = content.ToArray();
        _isKnown = new bool[content.Length / SectorBytes];
        Array.Fill(_isKnown, true);
    }

    public int Bytes => _content.Length;

    public void Put(ulong offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_content.AsSpan((int)offset));
        _isKnown.AsSpan((int)offset / SectorBytes, bytes.Length / SectorBytes).Fill(true);
    }

    public void Forget(ulong offset, ulong length) =>
        _isKnown.AsSpan((int)offset / SectorBytes, (int)length / SectorBytes).Clear();

    /// <summary>What is new is zero.</summary>
    public void Grow(int bytes)
    {
        int before = _isKnown.Length;
        Array.Resize(ref _content, bytes);
        Array.Resize(ref _isKnown, bytes / SectorBytes);
        _isKnown.AsSpan(before).Fill(true);
    }

    /// <exception cref="FuzzFailure">It is not what is known.</exception>
    public void Compare(ReadOnlySpan<byte> disk)
    {
        for (int i = 0; i < _isKnown.Length; i++)
        {
            Range sector = (i * SectorBytes)..((i + 1) * SectorBytes);
            if (_isKnown[i] && !disk[sector].SequenceEqual(_content.AsSpan(sector)))
                throw new FuzzFailure($"sector {i} of a right image reads as what was never written to it");
        }
    }
}
