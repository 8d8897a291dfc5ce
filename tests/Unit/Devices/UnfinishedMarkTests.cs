// Who may take the mark of an unfinished copy away, where it lies, and what becomes of it when the kernel refuses.
using System;
using System.IO;
using System.Linq;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "Linux")] // extended attributes; elsewhere a note beside the file
public sealed class UnfinishedMarkTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;
    readonly StagedNames _calls = new();
    readonly int _fd;

    public UnfinishedMarkTests()
    {
        File.WriteAllText(Image, "image");
        _fd = NameCalls.Kernel.Open(Files.AT_FDCWD, Image, Files.O_RDWR);
    }

    string Image => Path.Combine(_folder, "image");

    string Beside => Image + UnfinishedMark.Ending;

    bool IsOn => UnfinishedMark.IsOn(_calls, _fd);

    public void Dispose()
    {
        NameCalls.Close(_fd);
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Jobs one after the other: f of everything, a and b by a bitmap; capital: it ends well.</summary>
    [Theory]
    [InlineData("f", true)]
    [InlineData("fF", false)]
    [InlineData("F", false)]
    [InlineData("A", false)]
    [InlineData("aA", false)]
    [InlineData("aaA", false)]
    [InlineData("aF", false)]
    [InlineData("aB", true)]
    [InlineData("aBA", true)] // b has written what a does not know of
    [InlineData("fA", true)]
    [InlineData("afA", true)]
    [InlineData("afAF", false)]
    public void Mark_GoesWhenTheFileIsWhole_AndNotBefore(string jobs, bool isOn)
    {
        foreach (bool isBeside in new[] { false, true })
        {
            if (isBeside)
                _calls.Forget("mark");
            foreach (char job in jobs)
            {
                ulong serial = char.ToLowerInvariant(job) switch
                {
                    'f' => 0,
                    'a' => 7,
                    _ => 8,
                };
                Assert.Equal(0, UnfinishedMark.Put(_calls, _fd, serial));
                Assert.True(IsOn);
                if (char.IsUpper(job))
                    Assert.Equal(0, UnfinishedMark.Take(_calls, _fd, serial));
            }
            Assert.Equal(isOn, IsOn);
            Assert.Equal(isOn, File.Exists(Beside));
            Assert.Equal(0, UnfinishedMark.Take(_calls, _fd, 0));
            Assert.False(File.Exists(Beside));
        }
    }

    [Fact]
    public void Mark_GoesWhereTheFileGoes()
    {
        Assert.Equal(0, UnfinishedMark.Put(_calls, _fd, 0));
        byte[] text = new byte[64];
        bool hasAttributes = _calls.ReadAttribute(_fd, UnfinishedMark.AttributeName, text) > 0;
        Requires.That(hasAttributes, "files here have no attributes");
        File.Move(Image, Image + ".moved");
        Assert.True(IsOn);
    }

    [Fact]
    public void NoteOfAFileThatIsGone_SaysNothingOfTheNext()
    {
        Requires.That(_calls.WriteAttribute(_fd, "user.probe", "1"u8) == 0, "files here have no attributes");
        File.WriteAllText(Beside, "full");
        Assert.False(IsOn);
    }

    [Fact]
    public void WhatIsNeverWhole_IsMarked_WithoutANote()
    {
        Assert.Equal(0, UnfinishedMark.Put(_calls, _fd, UnfinishedMark.NeverWhole));
        Assert.False(File.Exists(Beside));
        Assert.Equal(0, UnfinishedMark.Take(_calls, _fd, 0));
    }

    [Fact]
    public void FileWithoutAName_NeedsNoMark()
    {
        File.Delete(Image);
        Assert.Equal(0, UnfinishedMark.Put(_calls, _fd, 0));
        Assert.False(IsOn);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData(Errnos.ENOSPC)]
    [InlineData(Errnos.EDQUOT)]
    [InlineData(Errnos.EIO)]
    public void CallThatFails_LeavesAMarkedFile_OrStopsTheJob(int errno)
    {
        foreach (bool isBeside in new[] { false, true })
        {
            int callCount = Run(isBeside, -1, errno, out _, out _);
            for (int index = 0; index < callCount; index++)
            {
                _ = Run(isBeside, index, errno, out int put, out bool isMarked);
                Assert.True(put < 0 || isMarked, $"call {index} of {callCount}, beside: {isBeside}");
            }
        }
    }

    /// <summary>A mark that is put while one call fails, and then taken away.</summary>
    int Run(bool isBeside, int failing, int errno, out int put, out bool isMarked)
    {
        StagedNames calls = new();
        if (isBeside)
            calls.Forget("mark");
        calls.Fail(failing, errno);
        put = UnfinishedMark.Put(calls, _fd, 0);
        int count = calls.Made.Count;
        StagedNames well = new();
        if (isBeside)
            well.Forget("mark");
        isMarked = UnfinishedMark.IsOn(well, _fd);
        Assert.Equal(0, UnfinishedMark.Take(NameCalls.Kernel, _fd, 0));
        File.Delete(Beside);
        Assert.Equal(["image"], Directory.GetFiles(_folder).Select(Path.GetFileName));
        return count;
    }
}
