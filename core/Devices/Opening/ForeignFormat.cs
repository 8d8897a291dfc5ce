// Image formats that are not raw, known by the signatures at their beginning or end: the bytes of such a file are not
// the bytes of its disk, and nothing here understands them. The content of a raw disk is its guest's, who can write
// such a signature too: whoever knows that a disk is raw says so and nothing is looked at.
// LUKS counts in files, where QEMU has it as a format; on a block device it is what any encrypted disk looks like.
// Cost: two reads. What cannot be read has no signature.
// Source: the formats' specifications and QEMU 7.2's block drivers, *_probe.
using System;
using System.Buffers.Binary;

namespace FastBackup.Devices.Opening;

public static class ForeignFormat
{
    /// <summary>How much of the beginning is needed.</summary>
    public const int HeadBytes = 512;

    /// <summary>And of the end.</summary>
    public const int TailBytes = 512;

    const int VdiSignatureOffset = 64;
    const uint VdiSignature = 0xbeda107f;

    /// <param name="head">The first bytes, HeadBytes where there are so many.</param>
    /// <param name="tail">The last TailBytes; empty when there are fewer.</param>
    /// <param name="isBlockDevice">What they are read from.</param>
    /// <returns>The format's name as QEMU has it; null: none that is known.</returns>
    public static string? Find(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, bool isBlockDevice)
    {
        if (head.StartsWith("QFI"u8) && head.Length >= 8 && head[3] == 0xfb)
            return BinaryPrimitives.ReadUInt32BigEndian(head[4..]) switch
            {
                1 => "qcow",
                2 or 3 => "qcow2",
                _ => null,
            };
        bool isVdi =
            head.Length >= VdiSignatureOffset + sizeof(uint)
            && BinaryPrimitives.ReadUInt32LittleEndian(head[VdiSignatureOffset..]) == VdiSignature;
        bool isLuks = head.StartsWith("LUKS"u8) && head.Length >= 6 && head[4] == 0xba && head[5] == 0xbe;
        return isVdi ? "vdi"
            : isLuks
                ? isBlockDevice ? null
                    : "luks"
            : head.StartsWith("QED\0"u8) ? "qed"
            : head.StartsWith("KDMV"u8) || head.StartsWith("COWD"u8) || IsDescriptor(head) ? "vmdk"
            : head.StartsWith("vhdxfile"u8) ? "vhdx"
            : head.StartsWith("conectix"u8) || tail.StartsWith("conectix"u8) ? "vpc"
            : head.StartsWith("WithoutFreeSpace"u8) || head.StartsWith("WithouFreSpacExt"u8) ? "parallels"
            : head.StartsWith("Bochs Virtual HD Image"u8) ? "bochs"
            : head.StartsWith("#!/bin/sh\n#V2.0 Format"u8) ? "cloop"
            : tail.StartsWith("koly"u8) ? "dmg"
            : null;
    }

    /// <summary>A text that names the files of a disk.</summary>
    static bool IsDescriptor(ReadOnlySpan<byte> head) => head.StartsWith("# Disk DescriptorFile"u8);
}
