// What a folder holds, to the byte: names, kinds, sizes, modes, times, contents. Two equal pictures mean that nothing
// in between has changed anything.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;

namespace FastBackup.Tests.Storage;

public static class FolderPicture
{
    /// <param name="folder">With everything below it.</param>
    /// <param name="hasTimes">False for a tree that was copied by a program that rounds times.</param>
    public static string Take(string folder, bool hasTimes = true)
    {
        IEnumerable<string> lines = Directory
            .EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => Path.GetRelativePath(folder, path) + " " + Describe(path, hasTimes));
        return string.Join('\n', lines);
    }

    static string Describe(string path, bool hasTimes)
    {
        FileInfo file = new(path);
        if (file.LinkTarget != null)
            return "-> " + file.LinkTarget;
        if (Directory.Exists(path))
            return $"folder {file.UnixFileMode}";
        if (!file.Attributes.HasFlag(FileAttributes.Normal) && file.Attributes.HasFlag(FileAttributes.Device))
            return "device";
        string time = hasTimes ? file.LastWriteTimeUtc.ToString("O") : "";
        return $"{file.Length} {file.UnixFileMode} {time} {Hash(path)}";
    }

    static string Hash(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(stream));
    }
}
