// Every signature is known by its format's name, wherever it lies, and only there; a disk that was said to be raw is
// opened whatever its guest has written on it.
using System;
using System.IO;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class ForeignFormatTests : IDisposable
{
    const int DiskBytes = 65536 + 777; // its end lies on no sector

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;
    readonly ThreadedFileIo _fileIo = new ThreadedFileIo(2, 64, "fb-test");
    readonly Reactor _reactor;

    public ForeignFormatTests() => _reactor = new Reactor(_fileIo, MonotonicClock.Instance, ReactorLimits.Default);

    public static TheoryData<string, int, string> Signatures =>
        new()
        {
            { "QFI\u00fb\0\0\0\u0001", 0, "qcow" },
            { "QFI\u00fb\0\0\0\u0002", 0, "qcow2" },
            { "QFI\u00fb\0\0\0\u0003", 0, "qcow2" },
            { "QED\0", 0, "qed" },
            { "KDMV", 0, "vmdk" },
            { "COWD", 0, "vmdk" },
            { "# Disk DescriptorFile", 0, "vmdk" },
            { "vhdxfile", 0, "vhdx" },
            { "conectix", 0, "vpc" },
            { "conectix", DiskBytes - 512, "vpc" },
            { "\u007f\u0010\u00da\u00be", 64, "vdi" },
            { "WithoutFreeSpace", 0, "parallels" },
            { "WithouFreSpacExt", 0, "parallels" },
            { "LUKS\u00ba\u00be", 0, "luks" },
            { "Bochs Virtual HD Image", 0, "bochs" },
            { "#!/bin/sh\n#V2.0 Format", 0, "cloop" },
            { "koly", DiskBytes - 512, "dmg" },
        };

    public void Dispose()
    {
        _reactor.Dispose();
        _fileIo.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Signatures))]
    public void ASignature_IsNamed_AndOnlyInItsPlace(string signature, int offset, string format)
    {
        Assert.Contains($"is an image of format {format}:", Refusal(Disk(signature, offset)), StringComparison.Ordinal);
        Assert.Equal("", Refusal(Disk(signature, offset + 1)));
        Assert.Equal("", Refusal(Disk(signature[..^1] + "?", offset)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(513)]
    public void SmallDisks_HaveNone(int sizeBytes)
    {
        string path = Path.Combine(_folder, "small");
        File.WriteAllBytes(path, new byte[sizeBytes]);
        Assert.Equal("", Refusal(path));
    }

    [Fact]
    public void ASignatureThatIsCutOff_IsNone()
    {
        string path = Path.Combine(_folder, "short");
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes("QFI\u00fb\0\0"));
        Assert.Equal("", Refusal(path));
    }

    [Fact]
    public void WhoSaysRaw_GetsTheDisk_WhateverItLooksLike()
    {
        using FileDevice device = Open(Disk("QFI\u00fb\0\0\0\u0003", 0), FormatRule.Raw);
        Assert.Null(device.ForeignFormat);
    }

    [Fact]
    public void WhoWantsToKnow_GetsTheDisk_AndTheName()
    {
        using FileDevice device = Open(Disk("QFI\u00fb\0\0\0\u0003", 0), FormatRule.Noted);
        Assert.Equal("qcow2", device.ForeignFormat);
    }

    [Fact]
    public void ATargetOfAnotherFormat_IsNotReplaced()
    {
        TargetOptions options = new()
        {
            Path = Disk("vhdxfile", 0),
            SizeBytes = DiskBytes,
            MayReplace = true,
        };
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, options, out TargetPlace? place);
        Assert.Equal(FaultKind.Unsupported, refusal.Fault.Kind);
        Assert.Contains("an image of format vhdx", refusal.Sentence, StringComparison.Ordinal);
        options = options with { Format = FormatRule.Raw };
        Assert.Equal(default, TargetPlace.TryPlan(NameCalls.Kernel, options, out place));
        place!.Dispose();
    }

    string Disk(string signature, int offset)
    {
        byte[] content = new byte[DiskBytes];
        byte[] bytes = Encoding.Latin1.GetBytes(signature);
        bytes.AsSpan(0, Math.Min(bytes.Length, DiskBytes - offset)).CopyTo(content.AsSpan(offset));
        string path = Path.Combine(_folder, "disk");
        File.WriteAllBytes(path, content);
        return path;
    }

    FileDevice Open(string path, FormatRule format)
    {
        FileOpenOptions options = new() { Path = path, Format = format };
        Assert.Equal(default, DeviceOpener.TryOpen(_reactor, options, out FileDevice? device));
        return device!;
    }

    /// <returns>Empty when it was opened.</returns>
    string Refusal(string path)
    {
        string sentence = "";
        foreach (bool isDirect in new[] { true, false })
        {
            FileOpenOptions options = new()
            {
                Path = path,
                IsReadOnly = true,
                IsDirect = isDirect,
            };
            OpenRefusal refusal = DeviceOpener.TryOpen(_reactor, options, out FileDevice? device);
            device?.Dispose();
            Assert.Equal(refusal.IsNone, device != null);
            sentence = refusal.Sentence ?? "";
        }
        return sentence;
    }
}
