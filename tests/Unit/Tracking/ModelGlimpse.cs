// What a look at a model's file would find after an end that is only tried: the sectors that differ, over the bytes
// that are there. It makes no copy of the file, so it is for one look, before the file is written to again.
using System;
using System.Collections.Generic;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tests.Unit.Tracking;

sealed class ModelGlimpse(byte[] bytes, Dictionary<int, byte[]> sectors) : ITrackerReader
{
    const int SectorBytes = 512;

    public ulong SizeBytes => (ulong)bytes.Length;

    public bool TryRead(ulong offsetBytes, Span<byte> part)
    {
        int start = (int)offsetBytes;
        bytes.AsSpan(start, part.Length).CopyTo(part);
        foreach ((int place, byte[] sector) in sectors)
        {
            int first = Math.Max(start, place);
            int end = Math.Min(start + part.Length, place + SectorBytes);
            if (first < end)
                sector.AsSpan(first - place, end - first).CopyTo(part[(first - start)..]);
        }
        return true;
    }

    /// <summary>A bit that has rotted.</summary>
    public void Turn(ulong offsetBytes, int bit)
    {
        int place = (int)offsetBytes / SectorBytes * SectorBytes;
        if (!sectors.TryGetValue(place, out byte[]? sector))
            sectors[place] = sector = bytes.AsSpan(place, SectorBytes).ToArray();
        sector[(int)offsetBytes - place] ^= (byte)(1 << bit);
    }
}
