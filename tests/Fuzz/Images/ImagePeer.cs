// The same images by qemu-img: where it says that one is corrupt, or refuses it, we have not read it to its end, and
// what both read is the same. Without qemu-img nothing is done.
using System;
using System.Collections.Generic;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Fuzz.Images;

static class ImagePeer
{
    const int CountMax = 150; // some 20 ms each
    const int SectorsMax = 400;

    /// <param name="work">Reads them.</param>
    /// <param name="files">Whole images; as many as CountMax are tried.</param>
    /// <param name="prng">Which.</param>
    public static void Check(ImageWork work, IEnumerable<byte[]> files, Prng prng)
    {
        if (!Array.Exists(Folders(), folder => File.Exists(Path.Combine(folder, "qemu-img"))))
        {
            Console.WriteLine("image: qemu-img is not there to be asked");
            return;
        }
        List<byte[]> all = [.. files];
        int count = Math.Min(all.Count, CountMax);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("fb-fuzz-");
        int bothCount = 0;
        for (int i = 0; i < count; i++)
            bothCount += IsTheSame(work, all[(int)prng.Below((ulong)all.Count)], folder.FullName) ? 1 : 0;
        folder.Delete(recursive: true);
        Console.WriteLine($"image: {count} of them shown to qemu-img, {bothCount} read by both");
    }

    static string[] Folders() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);

    /// <returns>Both read it.</returns>
    static bool IsTheSame(ImageWork work, byte[] file, string folder)
    {
        (string path, string raw) = (Path.Combine(folder, "image"), Path.Combine(folder, "raw"));
        File.WriteAllBytes(path, file);
        File.Delete(raw);
        byte[]? ours = Read(work, file);
        string[] line = ["if=" + path, "of=" + raw, "bs=512", $"count={SectorsMax}"];
        ToolRun peer = ToolRun.Of("qemu-img", ["dd", "-U", "-f", "qcow2", "-O", "raw", .. line]);
        // What is beside a bitmap is for a newer program; QEMU is none.
        if (ours == null || peer.Output.Contains("extra data", StringComparison.Ordinal))
            return false;
        if (peer.ExitCode != 0)
            throw new FuzzFailure($"read, where qemu-img says {peer.Output}:\n{Convert.ToHexString(file)}");
        byte[] theirs = File.ReadAllBytes(raw);
        int length = Math.Min(theirs.Length, ours.Length);
        if (!theirs.AsSpan(0, length).SequenceEqual(ours.AsSpan(0, length)))
            throw new FuzzFailure($"not what qemu-img reads:\n{Convert.ToHexString(file)}");
        return true;
    }

    static byte[]? Read(ImageWork work, byte[] file)
    {
        using Qcow2Device? device = work.TryOpen(file, new Prng(1), isWritten: false, keepsBitmaps: false, out _);
        if (device == null)
            return null;
        ulong length = Math.Min(device.Limits.CapacityBytes, SectorsMax * 512);
        bool isRead = work.Run(device, BlockOperation.Read, 0, length).IsNone;
        return isRead ? work.Buffer[..(int)length].ToArray() : null;
    }
}
