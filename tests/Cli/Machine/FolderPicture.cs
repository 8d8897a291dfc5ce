// What a folder holds, to the byte: names, kinds, sizes, modes, contents. Two equal pictures mean that nothing
// in between has changed anything.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;

namespace FastBackup.Tests.Cli.Machine;

static class FolderPicture
{
    public static string Take(string folder)
    {
        IEnumerable<string> lines = Directory
            .EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => Path.GetRelativePath(folder, path) + " " + Describe(path));
        return string.Join('\n', lines);
    }

    static string Describe(string path)
    {
        FileInfo file = new(path);
        if (file.LinkTarget != null)
            return "-> " + file.LinkTarget;
        if (Directory.Exists(path))
            return $"folder {file.UnixFileMode}";
        if (!file.Attributes.HasFlag(FileAttributes.Normal) && file.Attributes.HasFlag(FileAttributes.Device))
            return "device";
        return $"{file.Length} {file.UnixFileMode} {file.LastWriteTimeUtc:O} {Hash(path)}";
    }

    static string Hash(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(stream));
    }
}
