// Power cuts on real file systems: disk and tracker are files on ext4 and on xfs, whose block device records what is
// written to it while guests write to the disk, which grows meanwhile. Of what was recorded, beginnings are put back,
// and parts of what was not flushed, at flushes and anywhere; each is mounted, so that the journal does its work, and
// whatever then differs on the disk from what it was at the beginning is in the tracker's map.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tests.Processes;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("System", "Linux")]
[Trait("Length", "Long")] // not in the quick check
public sealed class RealCutTests
{
    const int CutCount = 52; // of each file system
    const ulong DiskBytes = 96 * Units.MiB + 700; // 25 regions, of which 16 may be open
    const ulong GrownBytes = 120 * Units.MiB + 100;

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    public void AnyCut_MissesNothing(string kind)
    {
        TestSeed.ForEach(
            1,
            seed =>
            {
                Prng chance = new(seed);
                using RecordedMount mount = new(kind);
                using TrackedFile disk = new(Directory.CreateDirectory(Path.Combine(mount.Folder, "d")), DiskBytes);
                disk.Read(mayReset: true);
                mount.Begin();
                disk.Attach();
                Write(disk, DiskBytes, chance);
                disk.Lengthen(GrownBytes);
                disk.Grow(GrownBytes, Fault.None, () => { });
                Write(disk, GrownBytes, chance);
                disk.Kill();
                foreach (string live in disk.LiveFiles)
                    File.Delete(live); // a power cut leaves none
                mount.End();
                Judge(mount, disk, chance);
            }
        );
    }

    static void Write(TrackedFile disk, ulong diskBytes, Prng chance)
    {
        for (int i = 0; i < 60; i++)
        {
            ulong at = chance.Chance(1, 3) ? chance.Below(8 * Units.MiB) : chance.Below(diskBytes);
            disk.Write(at, Math.Min(1 + chance.Below(200_000), diskBytes - at), (byte)(1 + i));
            if (chance.Chance(1, 4))
                disk.Flush();
        }
        disk.Flush();
    }

    static void Judge(RecordedMount mount, TrackedFile disk, Prng chance)
    {
        int changedCount = 0;
        for (int i = 0; i < CutCount; i++)
        {
            int count = (int)chance.Below((ulong)mount.RecordCount + 1);
            if (i % 2 == 0)
                while (count > 0 && !mount.IsFlush(count - 1))
                    count--;
            bool leavesOut = i % 4 == 3;
            string wrong = "";
            mount.Cut(
                count,
                leavesOut ? chance : null,
                folder =>
                {
                    wrong = disk.Compare(Path.Combine(folder, "d"), out int changed);
                    changedCount += changed > 0 ? 1 : 0;
                }
            );
            string parts = leavesOut ? ", some of the last ones left out" : "";
            Assert.True(wrong.Length == 0, $"after {count} of {mount.RecordCount} records{parts}: {wrong}");
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{CutCount} of {mount.RecordCount} cuts, {changedCount} with changes"
        );
        Assert.True(changedCount > CutCount / 2);
    }
}
