// What a file that replaces another takes over from it: owner, group, mode, access list, label and other extended
// attributes. What this process may not give is told, and then nobody gets in who could not before: without the old
// group its members' rights are dropped. Not taken: set-user-id bits, and what belongs to the old content
// (capabilities, signatures).
using System;
using System.Collections.Generic;
using System.Text;
using FastBackup.Base;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

static class KeptAttributes
{
    const int BytesMax = 65536; // of all names, and of a value. Source: xattr(7)
    const uint RightsBits = 0x1FF;
    const uint GroupBits = 0x38;
    const uint Unchanged = uint.MaxValue;
    const string AccessList = "system.posix_acl_access";

    static readonly string[] s_ofContent =
    [
        "security.capability",
        "security.ima",
        "security.evm",
        UnfinishedMark.AttributeName,
    ];

    /// <param name="calls">To the kernel.</param>
    /// <param name="oldFd">Open in any way, also with O_PATH.</param>
    /// <param name="old">What it is.</param>
    /// <param name="newFd">Owned by this process's user; readable by nobody else yet.</param>
    /// <param name="words">For people: added to, what could not be kept.</param>
    public static void Take(NameCalls calls, int oldFd, in NameLook old, int newFd, List<string> words)
    {
        int result = calls.Look(newFd, out NameLook now);
        bool hasOwner = result >= 0 && now.UserId == old.UserId;
        bool hasGroup = result >= 0 && now.GroupId == old.GroupId;
        if (!hasOwner || !hasGroup)
        {
            result = calls.ChangeOwner(newFd, old.UserId, old.GroupId);
            hasOwner |= result >= 0;
            hasGroup |= result >= 0 || calls.ChangeOwner(newFd, Unchanged, old.GroupId) >= 0;
        }
        if (!hasOwner)
            words.Add($"its owner {old.UserId} could not be kept: {Errnos.Describe(-result)}");
        if (!hasGroup)
            words.Add($"its group {old.GroupId} could not be kept: {Errnos.Describe(-result)}");
        uint mode = old.Mode & RightsBits;
        result = calls.ChangeMode(newFd, hasGroup ? mode : mode & ~GroupBits);
        if (result < 0 && (now.Mode & RightsBits) != mode)
            words.Add($"its mode could not be kept: {Errnos.Describe(-result)}");
        TakeExtended(calls, oldFd, newFd, hasGroup, words);
    }

    static void TakeExtended(NameCalls calls, int oldFd, int newFd, bool hasGroup, List<string> words)
    {
        byte[] names = new byte[BytesMax];
        int lengthBytes = calls.ListAttributes(oldFd, names);
        if (lengthBytes <= 0)
            return; // a file system without them
        byte[] value = new byte[BytesMax];
        byte[] given = new byte[BytesMax];
        foreach (
            string name in Encoding
                .UTF8.GetString(names, 0, lengthBytes)
                .Split('\0', StringSplitOptions.RemoveEmptyEntries)
        )
        {
            if (Array.IndexOf(s_ofContent, name) >= 0)
                continue;
            int valueBytes = calls.ReadAttribute(oldFd, name, value);
            if (valueBytes == -Errnos.ENODATA)
                continue;
            int givenBytes = valueBytes < 0 ? valueBytes : calls.ReadAttribute(newFd, name, given);
            bool isThere =
                valueBytes >= 0
                && givenBytes == valueBytes
                && given.AsSpan(0, givenBytes).SequenceEqual(value.AsSpan(0, valueBytes));
            if (isThere)
                continue; // the folder's default gave the same label
            int result =
                valueBytes < 0 ? valueBytes
                : name == AccessList && !hasGroup ? -Errnos.EPERM
                : calls.WriteAttribute(newFd, name, value.AsSpan(0, valueBytes));
            if (result < 0)
                words.Add($"its attribute {name} could not be kept: {Errnos.Describe(-result)}");
        }
    }
}
