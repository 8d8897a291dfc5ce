// A run of equal bits, by index: what batch readers fill in.
using System.Runtime.InteropServices;

namespace FastBackup.Bitmaps;

/// <summary>A run of equal bits: [FirstBit, EndBit).</summary>
/// <param name="FirstBit">Index of the granule.</param>
/// <param name="EndBit">At least FirstBit; equal means no run.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct BitRun(ulong FirstBit, ulong EndBit)
{
    public ulong BitCount => EndBit - FirstBit;

    public bool IsEmpty => EndBit == FirstBit;
}
