// A repository in a folder of this machine. A file is written under another name in the folder tmp, flushed, given
// its name without replacing one that is there, and the folder is flushed: after a power cut it is there whole or not
// at all. Whoever writes holds a lock on the temporary file, so that what a kill has left is known as such, and
// removed by the next one that writes. (A lock need not outlive a power cut: nor does its process.) Modes are
// restic's: what is stored is read-only, and only its owner reads it.
// Source: open(2), flock(2), link(2), fsync(2).
using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class LocalStore : IStore
{
    const string TemporaryFolder = "tmp";
    const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    const UnixFileMode WriteMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const uint StoredMode = 0x100; // 0400
    const int Unlock = 8; // LOCK_UN

    readonly string _path;
    readonly DirectFile _direct = new();
    bool _isSwept;

    public LocalStore(string path) => _path = path;

    public string Name => _path;

    public void Create()
    {
        Try(
            "create",
            _path,
            () =>
            {
                MakeFolder(_path);
                foreach (StoreKind kind in StoreNames.Kinds)
                    if (kind != StoreKind.Config)
                        MakeFolder(Path.Combine(_path, kind.Folder()));
                for (int i = 0; i < 256; i++)
                    MakeFolder(Path.Combine(_path, "data", i.ToString("x2", null)));
                FlushFolder(Path.Combine(_path, "data"));
                FlushFolder(_path);
                return true;
            }
        );
    }

    public List<StoredFile> List(StoreKind kind) =>
        Try(
            "list",
            Path.Combine(_path, kind.Folder()),
            () =>
            {
                List<StoredFile> files = [];
                DirectoryInfo folder = new(Path.Combine(_path, kind.Folder()));
                SearchOption depth =
                    kind == StoreKind.Pack ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly;
                foreach (FileInfo file in folder.EnumerateFiles("*", depth))
                    if (StoreNames.IsName(file.Name))
                        files.Add(new StoredFile(file.Name, file.Length));
                return files;
            }
        );

    public long? SizeOf(StoreKind kind, string name) =>
        Try(
            "look at",
            PathOf(kind, name),
            () =>
            {
                FileInfo file = new(PathOf(kind, name));
                return file.Exists ? file.Length : (long?)null;
            }
        );

    public byte[] Read(StoreKind kind, string name) =>
        Try("read", PathOf(kind, name), () => File.ReadAllBytes(PathOf(kind, name)));

    public void Read(StoreKind kind, string name, long offsetBytes, Span<byte> part)
    {
        string path = PathOf(kind, name);
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            int done = _direct.Read(file, offsetBytes, part);
            while (done < part.Length)
            {
                int count = RandomAccess.Read(file, part[done..], offsetBytes + done);
                if (count == 0)
                    throw new RepositoryException(
                        RepositoryError.Damaged,
                        $"{kind.Word()} '{path}' ends before its content does"
                    );
                done += count;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Explain("read", path, exception);
        }
    }

    public void Write(StoreKind kind, string name, ReadOnlyMemory<byte> content)
    {
        string path = PathOf(kind, name);
        _ = Try(
            "write",
            path,
            () =>
            {
                if (new FileInfo(path) is { Exists: true } there && kind != StoreKind.Config)
                    if (there.Length == content.Length)
                        return true;
                string temporaryFolder = Path.Combine(_path, TemporaryFolder);
                MakeFolder(temporaryFolder);
                Sweep(temporaryFolder);
                string temporary = Path.Combine(temporaryFolder, RandomNumberGenerator.GetHexString(32, true));
                WriteWhole(path, temporary, content.Span, isDurable: kind != StoreKind.Lock);
                return true;
            }
        );
    }

    public void Remove(StoreKind kind, string name) =>
        Try(
            "remove",
            PathOf(kind, name),
            () =>
            {
                string path = PathOf(kind, name);
                if (File.Exists(path))
                    File.Delete(path);
                if (kind != StoreKind.Lock)
                    FlushFolder(Path.GetDirectoryName(path)!);
                return true;
            }
        );

    public void Dispose() { }

    static void WriteWhole(string path, string temporary, ReadOnlySpan<byte> content, bool isDurable)
    {
        string folder = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(folder))
        {
            MakeFolder(folder);
            FlushFolder(Path.GetDirectoryName(folder)!);
        }
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None, // holds a lock: somebody is at it
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = WriteMode;
        using FileStream file = new(temporary, options);
        try
        {
            int done = DirectFile.Write(file.SafeFileHandle, content);
            RandomAccess.Write(file.SafeFileHandle, content[done..], done);
            if (isDurable)
                RandomAccess.FlushToDisk(file.SafeFileHandle);
            if (RandomAccess.GetLength(file.SafeFileHandle) != content.Length)
                throw new IOException("what was written is not as long as what was to be written");
            Publish(file, path);
            if (isDurable)
                FlushFolder(folder);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>By the descriptor: it is this file that gets the name, whoever moves in the folder.</summary>
    static void Publish(FileStream file, string path)
    {
        int fd = (int)file.SafeFileHandle.DangerousGetHandle();
        Throw(NameCalls.Kernel.ChangeMode(fd, StoredMode), path);
        Throw(NameCalls.Kernel.Lock(fd, Unlock), path); // whoever reads it under its name asks for a lock, too
        int result = NameCalls.Kernel.Link(fd, Files.AT_FDCWD, path);
        if (result is -Errnos.EPERM or -Errnos.EOPNOTSUPP or -Errnos.ENOSYS or -Errnos.EMLINK)
        {
            File.Move(file.Name, path, overwrite: false); // a file system without second names
            return;
        }
        if (result == -Errnos.EEXIST && Path.GetFileName(path) == StoreKind.Config.Folder())
            throw new RepositoryException(
                RepositoryError.Refused,
                $"another one has just made a repository at '{Path.GetDirectoryName(path)}'"
            );
        if (result == -Errnos.EEXIST && new FileInfo(path).Length == file.Length)
            return; // another one has stored the same
        if (result == -Errnos.EEXIST)
        {
            File.Delete(path); // shorter or longer than its name says: damaged
            result = NameCalls.Kernel.Link(fd, Files.AT_FDCWD, path);
        }
        Throw(result, path);
    }

    /// <summary>What killed writers have left: their locks are gone.</summary>
    void Sweep(string folder)
    {
        if (_isSwept)
            return;
        _isSwept = true;
        foreach (string path in Directory.GetFiles(folder))
        {
            try
            {
                using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                File.Delete(path);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                continue; // somebody writes it
            }
        }
    }

    static void MakeFolder(string path) =>
        _ = OperatingSystem.IsWindows() ? Directory.CreateDirectory(path) : Directory.CreateDirectory(path, FolderMode);

    /// <summary>The names in it are durable then.</summary>
    /// <exception cref="IOException">As the system says.</exception>
    internal static void FlushFolder(string path)
    {
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_CLOEXEC);
        Throw(fd, path);
        int result = NameCalls.Kernel.Flush(fd);
        NameCalls.Close(fd);
        Throw(result, path);
    }

    static void Throw(int result, string path)
    {
        if (result < 0)
            throw new IOException($"{Errnos.Describe(-result)}", -result) { Data = { ["path"] = path } };
    }

    string PathOf(StoreKind kind, string name) =>
        kind switch
        {
            StoreKind.Config => Path.Combine(_path, "config"),
            StoreKind.Pack => Path.Combine(_path, "data", name[..2], name),
            _ => Path.Combine(_path, kind.Folder(), name),
        };

    static T Try<T>(string what, string path, Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Explain(what, path, exception);
        }
    }

    static RepositoryException Explain(string what, string path, Exception exception)
    {
        RepositoryError error = exception switch
        {
            FileNotFoundException or DirectoryNotFoundException => RepositoryError.NotFound,
            UnauthorizedAccessException => RepositoryError.Forbidden,
            _ when exception.HResult is Errnos.ENOSPC or Errnos.EDQUOT => RepositoryError.NoSpace,
            _ when exception.HResult is Errnos.EROFS or Errnos.EACCES or Errnos.EPERM => RepositoryError.Forbidden,
            _ => RepositoryError.Unreachable,
        };
        string hint = error switch
        {
            RepositoryError.NoSpace => "; free space there, nothing of this run counts until then",
            RepositoryError.Forbidden when exception.HResult == Errnos.EROFS => "; make it writable",
            RepositoryError.Forbidden => "; run as a user who may",
            _ => "",
        };
        string why = FileTrouble.Describe(exception);
        return new RepositoryException(error, $"cannot {what} '{path}': {why}{hint}", exception);
    }
}
