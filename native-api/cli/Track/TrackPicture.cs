// What has changed, as a picture of letters: each stands for an equal part of the disk.
using System;
using System.Text;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Cli;

static class TrackPicture
{
    const int Columns = 64;
    const int RowsMax = 16;
    const string Letters = ".-+#";

    public const string Legend =
        "  . nothing   - up to a quarter   + up to three quarters   # more of a part has changed";

    /// <summary>Rows of letters; the last part may be shorter.</summary>
    public static string Draw(HierarchicalBitmap changed)
    {
        ulong partCount = Math.Min(changed.BitCount, Columns * RowsMax);
        StringBuilder text = new();
        for (ulong part = 0; part < partCount; part++)
        {
            if (part > 0 && part % Columns == 0)
                _ = text.Append('\n');
            (ulong first, ulong end) = BitsOf(changed, part, partCount);
            _ = text.Append(Letters[ShareOf(Count(changed, first, end), end - first)]);
        }
        return text.ToString();
    }

    /// <summary>The granules of one of so many equal parts.</summary>
    public static (ulong First, ulong End) BitsOf(HierarchicalBitmap changed, ulong part, ulong partCount) =>
        (
            (ulong)((UInt128)changed.BitCount * part / partCount),
            (ulong)((UInt128)changed.BitCount * (part + 1) / partCount)
        );

    /// <summary>0 nothing, 1 up to a quarter, 2 up to three quarters, 3 more.</summary>
    public static int ShareOf(ulong count, ulong total) =>
        count == 0 ? 0
        : count * 4 <= total ? 1
        : count * 4 <= total * 3 ? 2
        : 3;

    /// <summary>Granules that have changed among some.</summary>
    public static ulong Count(HierarchicalBitmap changed, ulong first, ulong end)
    {
        ulong count = 0;
        ulong bit = changed.NextDirtyBit(first, end);
        while (bit < end)
        {
            ulong clean = Math.Min(changed.NextCleanBit(bit, end), end);
            count += clean - bit;
            bit = clean < end ? changed.NextDirtyBit(clean, end) : end;
        }
        return count;
    }
}
