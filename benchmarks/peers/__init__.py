"""Every program that the suite knows, one module each."""

from peers import bolt, fastlmm, gcta, gemma, jamma, janusx, ldak, nextlmm, plink2, regenie
from peers.contract import Peer

PEERS: dict[str, Peer] = {
    module.PEER.name: module.PEER
    for module in (nextlmm, gemma, jamma, janusx, fastlmm, gcta, ldak, bolt, regenie, plink2)
}
