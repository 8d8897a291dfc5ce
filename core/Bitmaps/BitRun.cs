namespace FastBackup.Bitmaps;

/// <summary>A run of equal bits: [FirstBit, FirstBit + BitCount).</summary>
/// <param name="FirstBit">Index of the granule.</param>
/// <param name="BitCount">0 = no run.</param>
public readonly record struct BitRun(ulong FirstBit, ulong BitCount)
{
    public ulong EndBit => FirstBit + BitCount;

    public bool IsEmpty => BitCount == 0;
}
