// What an open file of Windows is: kind, size, names, identity. The identity is the volume's serial and the file's id,
// of 128 bits where the file system has them (ReFS), folded into the two words that the engine compares.
// Source: FILE_ID_INFORMATION, FILE_ATTRIBUTE_TAG_INFORMATION, FILE_FS_DEVICE_INFORMATION in ntifs.h.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Interop.Windows;
using FastBackup.Ports.Linux;

namespace FastBackup.Ports.Windows;

public static class WindowsLook
{
    const int FileAttributeTagInformation = 35;
    const int FileIdInformation = 59;
    const int FileFsVolumeInformation = 1;
    const int VolumeBytes = 600;
    const uint TagOfSymbolicLink = 0xA000000C;
    const uint TagOfMountPoint = 0xA0000003;
    const uint FileDeviceDisk = 7;
    const int CharacterDevice = 0x2000; // S_IFCHR
    const uint FileRemoteDevice = 0x10;
    const uint OwnerOnly = 0x180; // who may do what is said by access lists, which come from the folder

    // FILE_DEVICE_CD_ROM, CD_ROM_FILE_SYSTEM, DISK, DISK_FILE_SYSTEM, NETWORK, NETWORK_FILE_SYSTEM, VIRTUAL_DISK,
    // MASS_STORAGE, DFS_FILE_SYSTEM, DFS: what has files on it. Source: "Specifying Device Types".
    static readonly uint[] s_storage = [2, 3, FileDeviceDisk, 8, 0x12, 0x14, 0x24, 0x2D, 0x35, 0x06];

    [StructLayout(LayoutKind.Sequential)]
    struct AttributeTag
    {
        public uint Attributes;
        public uint Tag;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct FileId
    {
        public ulong VolumeSerial;
        public ulong Low;
        public ulong High;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct DeviceFacts
    {
        public uint Type;
        public uint Characteristics;
    }

    /// <summary>Threads: any.</summary>
    /// <returns>0, or an error number.</returns>
    public static unsafe int Try(int fd, out NameLook look)
    {
        look = default;
        IoStatusBlock status;
        AttributeTag tag;
        StandardFacts standard;
        // SAFETY: the system fills the structures during the calls only.
        int result = NtFiles.Query(fd, &status, &standard, (uint)sizeof(StandardFacts), NtFiles.StandardFactsrmation);
        if (result < 0)
            return IsDisk(fd) ? LookAtDisk(fd, out look) : WindowsFault.OfStatus(result);
        if (NtFiles.Query(fd, &status, &tag, (uint)sizeof(AttributeTag), FileAttributeTagInformation) < 0)
            tag = default;
        bool isLink =
            (tag.Attributes & NtFiles.FILE_ATTRIBUTE_REPARSE_POINT) != 0
            && tag.Tag is TagOfSymbolicLink or TagOfMountPoint;
        int type =
            !IsStorage(fd) ? CharacterDevice
            : isLink ? Folders.S_IFLNK
            : standard.IsDirectory != 0 ? Files.S_IFDIR
            : Files.S_IFREG;
        result = TryIdentify(fd, out FileIdentity identity);
        (uint linkCount, ulong sizeBytes) = (standard.LinkCount, (ulong)standard.EndBytes);
        look = new NameLook(type, identity, OwnerOnly, 0, 0, linkCount, sizeBytes, (ulong)standard.AllocatedBytes);
        return result;
    }

    /// <summary>The size of a file, volume or drive as it is now.</summary>
    /// <returns>Bytes, or a negative error number.</returns>
    public static unsafe long SizeBytes(int fd)
    {
        IoStatusBlock status;
        StandardFacts standard;
        // SAFETY: as above.
        int result = NtFiles.Query(fd, &status, &standard, (uint)sizeof(StandardFacts), NtFiles.StandardFactsrmation);
        if (result >= 0)
            return standard.EndBytes;
        long bytes = 0;
        int errno = WindowsFileCalls.Control(fd, OpenFiles.IOCTL_DISK_GET_LENGTH_INFO, null, 0, &bytes, 8, out _);
        return errno != 0 ? -errno : bytes;
    }

    /// <summary>Calls on it may wait for another machine.</summary>
    public static bool IsRemote(int fd) => TryGetDevice(fd, out DeviceFacts facts) && IsRemote(facts);

    static bool IsRemote(in DeviceFacts facts) => (facts.Characteristics & FileRemoteDevice) != 0;

    /// <summary>NUL, consoles, pipes and ports can be opened like files, and are none.</summary>
    static bool IsStorage(int fd) =>
        !TryGetDevice(fd, out DeviceFacts facts) || Array.IndexOf(s_storage, facts.Type) >= 0;

    static bool IsDisk(int fd) => TryGetDevice(fd, out DeviceFacts facts) && facts.Type == FileDeviceDisk;

    static unsafe bool TryGetDevice(int fd, out DeviceFacts facts)
    {
        IoStatusBlock status;
        DeviceFacts filled = default;
        // SAFETY: as above.
        int result = NtFiles.QueryVolume(
            fd,
            &status,
            &filled,
            (uint)sizeof(DeviceFacts),
            NtFiles.FileFsDeviceInformation
        );
        facts = filled;
        return result >= 0;
    }

    /// <summary>A volume or a drive: type, drive and part by number.</summary>
    static unsafe int LookAtDisk(int fd, out NameLook look)
    {
        uint* number = stackalloc uint[3];
        // SAFETY: twelve bytes of this frame, filled during the call only.
        int errno = WindowsFileCalls.Control(fd, OpenFiles.IOCTL_STORAGE_GET_DEVICE_NUMBER, null, 0, number, 12, out _);
        FileIdentity identity =
            errno == 0 ? new FileIdentity(true, (ulong)number[0] << 32 | number[1], number[2]) : default;
        look = new NameLook(Files.S_IFBLK, identity, OwnerOnly, 0, 0, 1, 0, 0);
        return errno;
    }

    static unsafe int TryIdentify(int fd, out FileIdentity identity)
    {
        IoStatusBlock status;
        FileId id;
        // SAFETY: as above.
        int result = NtFiles.Query(fd, &status, &id, (uint)sizeof(FileId), FileIdInformation);
        if (result >= 0)
        {
            identity = new FileIdentity(false, id.VolumeSerial ^ BitOperations.RotateLeft(id.High, 32), id.Low);
            return 0;
        }
        // FAT and some servers have ids of 64 bits only.
        byte* volume = stackalloc byte[VolumeBytes]; // the serial is behind a time; a label follows
        _ = NtFiles.QueryVolume(fd, &status, volume, VolumeBytes, FileFsVolumeInformation);
        uint serial = *(uint*)(volume + sizeof(long));
        ulong index = 0;
        result = NtFiles.Query(fd, &status, &index, sizeof(ulong), NtFiles.FileInternalInformation);
        identity = new FileIdentity(false, serial, index);
        return WindowsFault.OfStatus(result);
    }
}
