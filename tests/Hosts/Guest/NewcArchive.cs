// Writes a cpio archive as the kernel unpacks one into its first file system: format "newc", a header of hexadecimal
// text, the name and the content, each padded to four bytes. Source: Linux Documentation/driver-api/early-userspace.
using System;
using System.IO;
using System.Text;

namespace FastBackup.Tests.Hosts.Guest;

/// <summary>Threads: one. Disposing ends the archive.</summary>
sealed class NewcArchive(string path) : IDisposable
{
    const int FolderMode = 0x41ED; // directory, rwxr-xr-x
    const int ProgramMode = 0x81ED; // file, rwxr-xr-x

    readonly FileStream _file = new(path, FileMode.CreateNew);
    int _inode;

    public void AddFolder(string name) => Add(name, FolderMode, []);

    public void AddProgram(string name, byte[] content) => Add(name, ProgramMode, content);

    public void Dispose()
    {
        Add("TRAILER!!!", 0, []);
        _file.Dispose();
    }

    void Add(string name, int mode, byte[] content)
    {
        const int owner = 0;
        const int linkCount = 1;
        int[] fields =
        [
            ++_inode,
            mode,
            owner,
            owner,
            linkCount,
            0, // time
            content.Length,
            0, // device of the file
            0,
            0, // device that it is
            0,
            name.Length + 1,
            0, // no checksum in this format
        ];
        StringBuilder header = new("070701");
        foreach (int field in fields)
            header.Append(field.ToString("X8", null));
        _file.Write(Encoding.ASCII.GetBytes(header.Append(name).Append('\0').ToString()));
        Pad();
        _file.Write(content);
        Pad();
    }

    void Pad()
    {
        while (_file.Position % 4 != 0)
            _file.WriteByte(0);
    }
}
