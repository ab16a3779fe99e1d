"""Puts the accounts and computers of the tests into a new Samba domain, and prints who they are."""

import secrets
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

CONTAINER = r"OU=Werk\; Nord \#1"
AWKWARD = r"CN=B\C3\BCro\, \"S\C3\BCd\" \+ \<1\>"

parameters = LoadParm()
parameters.load(sys.argv[1])
database = SamDB(session_info=system_session(), lp=parameters)
domain = database.domain_dn()


def account(name, login, filter):
    password = "Aa1-" + secrets.token_hex(12)
    database.setpassword(f"({filter})", password)
    print(name, f"{login}@lastkey.test", password)


def computer(dn, account):
    # 4096: the account of a workstation.
    database.add({"dn": dn, "objectClass": "computer", "sAMAccountName": account, "userAccountControl": "4096"})


database.create_ou(f"{CONTAINER},{domain}")
for number in range(1, 13):
    computer(f"CN=PC{number:02},CN=Computers,{domain}", f"PC{number:02}$")
    account(f"pc{number:02}", f"PC{number:02}$", f"sAMAccountName=PC{number:02}$")
computer(f"{AWKWARD},{CONTAINER},{domain}", "BÜRO$")
account("awkward", "BÜRO$", "sAMAccountName=BÜRO$")
account("administrator", "Administrator", "sAMAccountName=Administrator")
for name in ["alice", "gone"]:
    database.newuser(name, "Aa1-" + secrets.token_hex(12))
    account(name, name, f"sAMAccountName={name}")
database.disable_account("(sAMAccountName=gone)")
