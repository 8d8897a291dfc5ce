// The worked example of the document is what this code writes, byte for byte.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Runtime.CompilerServices;
using System.Text;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class TrackerDocumentTests
{
    const int LineBytes = 16;

    [Fact]
    public void Example_IsWhatIsWritten()
    {
        string path = Path.GetFullPath(Path.Combine(Here(), "../../../../native-api/docs/tracker-format.md"));
        byte[] file = Example();
        AssertTwins(file, 0, HeaderBytes.SecondCopyAt, HeaderBytes.LengthBytes);
        AssertTwins(file, 0x20000, 0x21000, 4096);
        AssertTwins(file, 0x22000, 0x23000, 4096);
        foreach (int at in (int[])[(int)HeaderBytes.SecondCopyAt, 0x21000, 0x23000])
            file.AsSpan(at, at < 0x20000 ? HeaderBytes.LengthBytes : 4096).Clear();
        string text = Dump(file);
        Assert.True(File.ReadAllText(path).Contains(text, StringComparison.Ordinal), "should have:\n" + text);
    }

    /// <summary>The first page of the table of a tracker with one checkpoint, and where the header says that it is.
    /// </summary>
    [Fact]
    public void ExampleOfPoints_IsWhatIsWritten()
    {
        string path = Path.GetFullPath(Path.Combine(Here(), "../../../../native-api/docs/tracker-format.md"));
        ModelFile file = PointScene.NewFile();
        PointScene.Change(file, [3]);
        Assert.True(PointScene.Add(file, "monday").IsNone);
        using RecoveredTracker found = PointScene.Recover(file);
        TrackerArea table = Array.Find(found.Header!.Areas, area => area.Kind == AreaKind.PointsFirst);
        string text = Dump(file.Cached.AsSpan((int)table.OffsetBytes, TrackerShape.PageBytes).ToArray());
        Assert.True(File.ReadAllText(path).Contains(text, StringComparison.Ordinal), "should have:\n" + text);
    }

    static void AssertTwins(byte[] file, int firstAt, ulong secondAt, int lengthBytes) =>
        Assert.Equal(file.AsSpan(firstAt, lengthBytes), file.AsSpan((int)secondAt, lengthBytes));

    /// <summary>5 MiB and 700 bytes, granules of 64 KiB: granule 3 has changed durably, region 1 is open.</summary>
    static byte[] Example()
    {
        TrackerShape shape = new(5 * Units.MiB + 700, 16, TrackerShape.RegionShiftUsual);
        TrackerHeader header = TrackerScene.Header(shape, TrackerState.Open);
        byte[] file = TrackerScene.NewFile(header);
        foreach (TrackerArea area in header.Areas)
            if (area.Kind is AreaKind.FineFirst or AreaKind.FineSecond)
                TrackerScene.SetBit(file, area, 3);
            else if (area.Kind != AreaKind.Live)
                TrackerScene.SetBit(file, area, 1);
        ulong liveAt = header.Find(AreaKind.Live, TrackerScene.MapId).OffsetBytes;
        (file[liveAt], file[liveAt + 8]) = (8, 1); // granules 3 and 64
        return file;
    }

    /// <summary>As "xxd -g 1" would, without text; lines of zeroes left out.</summary>
    static string Dump(byte[] file)
    {
        StringBuilder text = new();
        for (int at = 0; at < file.Length; at += LineBytes)
        {
            ReadOnlySpan<byte> line = file.AsSpan(at, LineBytes);
            if (!line.ContainsAnyExcept((byte)0))
                continue;
            List<string> bytes = [];
            foreach (byte one in line)
                bytes.Add(one.ToString("x2", CultureInfo.InvariantCulture));
            text.Append(CultureInfo.InvariantCulture, $"{at:x8}: {string.Join(' ', bytes)}\n");
        }
        return text.ToString();
    }

    static string Here([CallerFilePath] string path = "") => path;
}
